// Diffusion of heat in three dimensions, back and forth between two arrays.
#include "polybench.h"

enum { STEPS = BY_SIZE(20, 40, 100, 500), N = BY_SIZE(10, 20, 40, 120) };

static void fill(double a[N][N][N], double b[N][N][N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int k = 0; k < N; k++) a[i][j][k] = b[i][j][k] = (double)(i + j + (N - k)) * 10 / N;
}

// One step: from every point's temperature and its six neighbours' to its next.
static inline void spread(double to[N][N][N], double from[N][N][N]) {
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            for (int k = 1; k < N - 1; k++)
                to[i][j][k] = 0.125 * (from[i + 1][j][k] - 2.0 * from[i][j][k] + from[i - 1][j][k]) +
                              0.125 * (from[i][j + 1][k] - 2.0 * from[i][j][k] + from[i][j - 1][k]) +
                              0.125 * (from[i][j][k + 1] - 2.0 * from[i][j][k] + from[i][j][k - 1]) + from[i][j][k];
}

KERNEL heat_3d(double a[N][N][N], double b[N][N][N]) {
    for (int step = 1; step <= STEPS; step++) {
        spread(b, a);
        spread(a, b);
    }
}

int main(int argc, char **argv) {
    double(*a)[N][N] = array(sizeof(double[N][N][N]));
    double(*b)[N][N] = array(sizeof(double[N][N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b);
        TIME(heat_3d(a, b));
    }
    SHOW("A", **a, N * N * N);
}
