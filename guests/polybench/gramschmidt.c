// The modified Gram-Schmidt process: A = Q R, with orthonormal columns in Q.
#include <math.h>

#include "polybench.h"

enum { M = BY_SIZE(20, 60, 200, 1000), N = BY_SIZE(30, 80, 240, 1200) };

static void fill(double a[M][N], double r[N][N], double q[M][N]) {
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = (double)(i * j % M) / M * 100 + 10;
            q[i][j] = 0;
        }
    }
    memset(r, 0, sizeof(double[N][N]));
}

KERNEL gramschmidt(double a[M][N], double r[N][N], double q[M][N]) {
    for (int k = 0; k < N; k++) {
        double squares = 0;
        for (int i = 0; i < M; i++) squares += a[i][k] * a[i][k];
        r[k][k] = sqrt(squares);
        for (int i = 0; i < M; i++) q[i][k] = a[i][k] / r[k][k];
        for (int j = k + 1; j < N; j++) {
            r[k][j] = 0;
            for (int i = 0; i < M; i++) r[k][j] += q[i][k] * a[i][j];
            for (int i = 0; i < M; i++) a[i][j] = a[i][j] - q[i][k] * r[k][j];
        }
    }
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[M][N]));
    double(*r)[N] = array(sizeof(double[N][N]));
    double(*q)[N] = array(sizeof(double[M][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, r, q);
        TIME(gramschmidt(a, r, q));
    }
    SHOW("R", *r, N * N);
    SHOW("Q", *q, M * N);
}
