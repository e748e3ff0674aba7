// A system of linear equations, A x = b: factorisation, then forward and backward substitution.
#include "polybench.h"

enum { N = BY_SIZE(40, 120, 400, 2000) };

static void fill(double a[N][N], double b[N], double x[N], double y[N]) {
    for (int i = 0; i < N; i++) {
        x[i] = 0;
        y[i] = 0;
        b[i] = (i + 1) / (double)N / 2 + 4;
    }
    positive_definite(N, a);
}

KERNEL ludcmp(double a[N][N], double b[N], double x[N], double y[N]) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            double rest = a[i][j];
            for (int k = 0; k < j; k++) rest -= a[i][k] * a[k][j];
            a[i][j] = rest / a[j][j];
        }
        for (int j = i; j < N; j++) {
            double rest = a[i][j];
            for (int k = 0; k < i; k++) rest -= a[i][k] * a[k][j];
            a[i][j] = rest;
        }
    }
    for (int i = 0; i < N; i++) {
        double rest = b[i];
        for (int j = 0; j < i; j++) rest -= a[i][j] * y[j];
        y[i] = rest;
    }
    for (int i = N - 1; i >= 0; i--) {
        double rest = y[i];
        for (int j = i + 1; j < N; j++) rest -= a[i][j] * x[j];
        x[i] = rest / a[i][i];
    }
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[N][N]));
    double *b = array(sizeof(double[N]));
    double *x = array(sizeof(double[N]));
    double *y = array(sizeof(double[N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b, x, y);
        TIME(ludcmp(a, b, x, y));
    }
    SHOW("x", x, N);
}
