// Diffusion of heat in two dimensions by alternating directions: a tridiagonal system for each column, then for each row.
#include "polybench.h"

enum { STEPS = BY_SIZE(20, 40, 100, 500), N = BY_SIZE(20, 60, 200, 1000) };

static void fill(double u[N][N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) u[i][j] = (double)(i + N - j) / N;
}

KERNEL adi(double u[N][N], double v[N][N], double p[N][N], double q[N][N]) {
    double dx = 1.0 / N, dy = 1.0 / N, dt = 1.0 / STEPS;
    double along = 2.0 * dt / (dx * dx), across = 1.0 * dt / (dy * dy);
    double a = -along / 2, b = 1 + along, c = a;
    double d = -across / 2, e = 1 + across, f = d;
    for (int step = 1; step <= STEPS; step++) {
        for (int i = 1; i < N - 1; i++) {
            v[0][i] = 1;
            p[i][0] = 0;
            q[i][0] = v[0][i];
            for (int j = 1; j < N - 1; j++) {
                p[i][j] = -c / (a * p[i][j - 1] + b);
                q[i][j] = (-d * u[j][i - 1] + (1 + 2 * d) * u[j][i] - f * u[j][i + 1] - a * q[i][j - 1]) /
                          (a * p[i][j - 1] + b);
            }
            v[N - 1][i] = 1;
            for (int j = N - 2; j >= 1; j--) v[j][i] = p[i][j] * v[j + 1][i] + q[i][j];
        }
        for (int i = 1; i < N - 1; i++) {
            u[i][0] = 1;
            p[i][0] = 0;
            q[i][0] = u[i][0];
            for (int j = 1; j < N - 1; j++) {
                p[i][j] = -f / (d * p[i][j - 1] + e);
                q[i][j] = (-a * v[i - 1][j] + (1 + 2 * a) * v[i][j] - c * v[i + 1][j] - d * q[i][j - 1]) /
                          (d * p[i][j - 1] + e);
            }
            u[i][N - 1] = 1;
            for (int j = N - 2; j >= 1; j--) u[i][j] = p[i][j] * u[i][j + 1] + q[i][j];
        }
    }
}

int main(int argc, char **argv) {
    double(*u)[N] = array(sizeof(double[N][N]));
    double(*v)[N] = array(sizeof(double[N][N]));
    double(*p)[N] = array(sizeof(double[N][N]));
    double(*q)[N] = array(sizeof(double[N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(u);
        TIME(adi(u, v, p, q));
    }
    SHOW("u", *u, N * N);
}
