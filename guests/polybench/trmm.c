// The product with the transpose of a triangular matrix that has ones on its diagonal: B = alpha A^T B.
#include "polybench.h"

enum { M = BY_SIZE(20, 60, 200, 1000), N = BY_SIZE(30, 80, 240, 1200) };

static void fill(double a[M][M], double b[M][N]) {
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < i; j++) a[i][j] = (double)((i + j) % M) / M;
        a[i][i] = 1;
        for (int j = 0; j < N; j++) b[i][j] = (double)((N + (i - j)) % N) / N;
    }
}

KERNEL trmm(double alpha, double a[M][M], double b[M][N]) {
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < N; j++) {
            for (int k = i + 1; k < M; k++) b[i][j] += a[k][i] * b[k][j];
            b[i][j] = alpha * b[i][j];
        }
    }
}

int main(int argc, char **argv) {
    double(*a)[M] = array(sizeof(double[M][M]));
    double(*b)[N] = array(sizeof(double[M][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b);
        TIME(trmm(1.5, a, b));
    }
    SHOW("B", *b, M * N);
}
