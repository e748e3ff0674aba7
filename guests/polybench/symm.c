// The product with a symmetric matrix, of which one half is stored: C = alpha A B + beta C.
#include "polybench.h"

enum { M = BY_SIZE(20, 60, 200, 1000), N = BY_SIZE(30, 80, 240, 1200) };

static void fill(double a[M][M], double b[M][N], double c[M][N]) {
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < N; j++) {
            c[i][j] = (double)((i + j) % 100) / M;
            b[i][j] = (double)((N + i - j) % 100) / M;
        }
        // The other half must not be read, and is easily noticed if it is.
        for (int j = 0; j < M; j++) a[i][j] = j <= i ? (double)((i + j) % 100) / M : -999;
    }
}

KERNEL symm(double alpha, double beta, double c[M][N], double a[M][M], double b[M][N]) {
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < N; j++) {
            double left = 0;
            for (int k = 0; k < i; k++) {
                c[k][j] += alpha * b[i][j] * a[i][k];
                left += b[k][j] * a[i][k];
            }
            c[i][j] = beta * c[i][j] + alpha * b[i][j] * a[i][i] + alpha * left;
        }
    }
}

int main(int argc, char **argv) {
    double(*a)[M] = array(sizeof(double[M][M]));
    double(*b)[N] = array(sizeof(double[M][N]));
    double(*c)[N] = array(sizeof(double[M][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b, c);
        TIME(symm(1.5, 1.2, c, a, b));
    }
    SHOW("C", *c, M * N);
}
