// Cholesky's factorisation of a positive definite matrix, in place: A = L L^T.
#include <math.h>

#include "polybench.h"

enum { N = BY_SIZE(40, 120, 400, 2000) };

KERNEL cholesky(double a[N][N]) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++) a[i][j] -= a[i][k] * a[j][k];
            a[i][j] /= a[j][j];
        }
        for (int k = 0; k < i; k++) a[i][i] -= a[i][k] * a[i][k];
        a[i][i] = sqrt(a[i][i]);
    }
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        positive_definite(N, a);
        TIME(cholesky(a));
    }
    SHOW("A", *a, N * N);
}
