// The two products of the biconjugate gradient method: s = A^T r, q = A p.
#include "polybench.h"

enum { M = BY_SIZE(38, 116, 390, 1900), N = BY_SIZE(42, 124, 410, 2100) };

static void fill(double a[N][M], double r[N], double p[M]) {
    for (int j = 0; j < M; j++) p[j] = (double)(j % M) / M;
    for (int i = 0; i < N; i++) {
        r[i] = (double)(i % N) / N;
        for (int j = 0; j < M; j++) a[i][j] = (double)(i * (j + 1) % N) / N;
    }
}

KERNEL bicg(double a[N][M], double s[M], double q[N], double p[M], double r[N]) {
    for (int j = 0; j < M; j++) s[j] = 0;
    for (int i = 0; i < N; i++) {
        q[i] = 0;
        for (int j = 0; j < M; j++) {
            s[j] = s[j] + r[i] * a[i][j];
            q[i] = q[i] + a[i][j] * p[j];
        }
    }
}

int main(int argc, char **argv) {
    double(*a)[M] = array(sizeof(double[N][M]));
    double *s = array(sizeof(double[M]));
    double *q = array(sizeof(double[N]));
    double *p = array(sizeof(double[M]));
    double *r = array(sizeof(double[N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, r, p);
        TIME(bicg(a, s, q, p, r));
    }
    SHOW("s", s, M);
    SHOW("q", q, N);
}
