// A matrix and its transpose times a vector: y = A^T (A x).
#include "polybench.h"

enum { M = BY_SIZE(38, 116, 390, 1900), N = BY_SIZE(42, 124, 410, 2100) };

static void fill(double a[M][N], double x[N]) {
    for (int j = 0; j < N; j++) x[j] = 1 + j / (double)N;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) a[i][j] = (double)((i + j) % N) / (5 * M);
}

KERNEL atax(double a[M][N], double x[N], double y[N], double ax[M]) {
    for (int j = 0; j < N; j++) y[j] = 0;
    for (int i = 0; i < M; i++) {
        ax[i] = 0;
        for (int j = 0; j < N; j++) ax[i] = ax[i] + a[i][j] * x[j];
        for (int j = 0; j < N; j++) y[j] = y[j] + a[i][j] * ax[i];
    }
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[M][N]));
    double *x = array(sizeof(double[N]));
    double *y = array(sizeof(double[N]));
    double *ax = array(sizeof(double[M]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, x);
        TIME(atax(a, x, y, ax));
    }
    SHOW("y", y, N);
}
