// A matrix and its transpose, each times a vector of its own: x = x + A y, z = z + A^T w.
#include "polybench.h"

enum { N = BY_SIZE(40, 120, 400, 2000) };

static void fill(double a[N][N], double x[N], double y[N], double z[N], double w[N]) {
    for (int i = 0; i < N; i++) {
        x[i] = (double)(i % N) / N;
        z[i] = (double)((i + 1) % N) / N;
        y[i] = (double)((i + 3) % N) / N;
        w[i] = (double)((i + 4) % N) / N;
        for (int j = 0; j < N; j++) a[i][j] = (double)(i * j % N) / N;
    }
}

KERNEL mvt(double x[N], double z[N], double y[N], double w[N], double a[N][N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) x[i] = x[i] + a[i][j] * y[j];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) z[i] = z[i] + a[j][i] * w[j];
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[N][N]));
    double *x = array(sizeof(double[N]));
    double *y = array(sizeof(double[N]));
    double *z = array(sizeof(double[N]));
    double *w = array(sizeof(double[N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, x, y, z, w);
        TIME(mvt(x, z, y, w, a));
    }
    SHOW("x1", x, N);
    SHOW("x2", z, N);
}
