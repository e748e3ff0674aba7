// Vector products and a matrix of rank two more: A = A + u1 v1^T + u2 v2^T, x = beta A^T y + z, w = alpha A x.
#include "polybench.h"

enum { N = BY_SIZE(40, 120, 400, 2000) };

struct vectors {
    double *u1, *v1, *u2, *v2, *w, *x, *y, *z;
};

static void fill(double a[N][N], struct vectors v) {
    for (int i = 0; i < N; i++) {
        v.u1[i] = i;
        v.u2[i] = (i + 1) / (double)N / 2;
        v.v1[i] = (i + 1) / (double)N / 4;
        v.v2[i] = (i + 1) / (double)N / 6;
        v.y[i] = (i + 1) / (double)N / 8;
        v.z[i] = (i + 1) / (double)N / 9;
        v.x[i] = 0;
        v.w[i] = 0;
        for (int j = 0; j < N; j++) a[i][j] = (double)(i * j % N) / N;
    }
}

KERNEL gemver(double alpha, double beta, double a[N][N], double u1[N], double v1[N], double u2[N], double v2[N],
              double w[N], double x[N], double y[N], double z[N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i][j] = a[i][j] + u1[i] * v1[j] + u2[i] * v2[j];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) x[i] = x[i] + beta * a[j][i] * y[j];
    for (int i = 0; i < N; i++) x[i] = x[i] + z[i];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) w[i] = w[i] + alpha * a[i][j] * x[j];
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[N][N]));
    struct vectors v;
    double **all[] = {&v.u1, &v.v1, &v.u2, &v.v2, &v.w, &v.x, &v.y, &v.z};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) *all[i] = array(sizeof(double[N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, v);
        TIME(gemver(1.5, 1.2, a, v.u1, v.v1, v.u2, v.v2, v.w, v.x, v.y, v.z));
    }
    SHOW("w", v.w, N);
}
