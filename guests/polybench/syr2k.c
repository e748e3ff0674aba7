// A symmetric update of rank 2M, lower half: C = alpha (A B^T + B A^T) + beta C.
#include "polybench.h"

enum { M = BY_SIZE(20, 60, 200, 1000), N = BY_SIZE(30, 80, 240, 1200) };

static void fill(double a[N][M], double b[N][M], double c[N][N]) {
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < M; k++) {
            a[i][k] = (double)((i * k + 1) % N) / N;
            b[i][k] = (double)((i * k + 2) % M) / M;
        }
        for (int j = 0; j < N; j++) c[i][j] = (double)((i * j + 3) % N) / M;
    }
}

KERNEL syr2k(double alpha, double beta, double c[N][N], double a[N][M], double b[N][M]) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++) c[i][j] *= beta;
        for (int k = 0; k < M; k++)
            for (int j = 0; j <= i; j++) c[i][j] += a[j][k] * alpha * b[i][k] + b[j][k] * alpha * a[i][k];
    }
}

int main(int argc, char **argv) {
    double(*a)[M] = array(sizeof(double[N][M]));
    double(*b)[M] = array(sizeof(double[N][M]));
    double(*c)[N] = array(sizeof(double[N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b, c);
        TIME(syr2k(1.5, 1.2, c, a, b));
    }
    SHOW("C", *c, N * N);
}
