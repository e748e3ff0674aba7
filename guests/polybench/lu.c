// The factorisation of a matrix into a lower and an upper triangular one, in place, without pivots.
#include "polybench.h"

enum { N = BY_SIZE(40, 120, 400, 2000) };

KERNEL lu(double a[N][N]) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++) a[i][j] -= a[i][k] * a[k][j];
            a[i][j] /= a[j][j];
        }
        for (int j = i; j < N; j++)
            for (int k = 0; k < i; k++) a[i][j] -= a[i][k] * a[k][j];
    }
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        positive_definite(N, a);
        TIME(lu(a));
    }
    SHOW("A", *a, N * N);
}
