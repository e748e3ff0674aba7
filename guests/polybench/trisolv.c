// A triangular system of linear equations: L x = b.
#include "polybench.h"

enum { N = BY_SIZE(40, 120, 400, 2000) };

static void fill(double l[N][N], double x[N], double b[N]) {
    for (int i = 0; i < N; i++) {
        x[i] = -999;
        b[i] = i;
        for (int j = 0; j <= i; j++) l[i][j] = (double)(i + N - j + 1) * 2 / N;
    }
}

KERNEL trisolv(double l[N][N], double x[N], double b[N]) {
    for (int i = 0; i < N; i++) {
        x[i] = b[i];
        for (int j = 0; j < i; j++) x[i] -= l[i][j] * x[j];
        x[i] = x[i] / l[i][i];
    }
}

int main(int argc, char **argv) {
    double(*l)[N] = array(sizeof(double[N][N]));
    double *x = array(sizeof(double[N]));
    double *b = array(sizeof(double[N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(l, x, b);
        TIME(trisolv(l, x, b));
    }
    SHOW("x", x, N);
}
