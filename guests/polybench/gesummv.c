// The sum of two matrix-vector products: y = alpha A x + beta B x.
#include "polybench.h"

enum { N = BY_SIZE(30, 90, 250, 1300) };

static void fill(double a[N][N], double b[N][N], double x[N]) {
    for (int i = 0; i < N; i++) {
        x[i] = (double)(i % N) / N;
        for (int j = 0; j < N; j++) {
            a[i][j] = (double)((i * j + 1) % N) / N;
            b[i][j] = (double)((i * j + 2) % N) / N;
        }
    }
}

KERNEL gesummv(double alpha, double beta, double a[N][N], double b[N][N], double ax[N], double x[N], double y[N]) {
    for (int i = 0; i < N; i++) {
        ax[i] = 0;
        y[i] = 0;
        for (int j = 0; j < N; j++) {
            ax[i] = a[i][j] * x[j] + ax[i];
            y[i] = b[i][j] * x[j] + y[i];
        }
        y[i] = alpha * ax[i] + beta * y[i];
    }
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[N][N]));
    double(*b)[N] = array(sizeof(double[N][N]));
    double *ax = array(sizeof(double[N]));
    double *x = array(sizeof(double[N]));
    double *y = array(sizeof(double[N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b, x);
        TIME(gesummv(1.5, 1.2, a, b, ax, x, y));
    }
    SHOW("y", y, N);
}
