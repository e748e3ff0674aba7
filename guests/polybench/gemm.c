// The general matrix product of BLAS: C = alpha A B + beta C.
#include "polybench.h"

enum { NI = BY_SIZE(20, 60, 200, 1000), NJ = BY_SIZE(25, 70, 220, 1100), NK = BY_SIZE(30, 80, 240, 1200) };

static void fill(double a[NI][NK], double b[NK][NJ], double c[NI][NJ]) {
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NJ; j++) c[i][j] = (double)((i * j + 1) % NI) / NI;
    for (int i = 0; i < NI; i++)
        for (int k = 0; k < NK; k++) a[i][k] = (double)(i * (k + 1) % NK) / NK;
    for (int k = 0; k < NK; k++)
        for (int j = 0; j < NJ; j++) b[k][j] = (double)(k * (j + 2) % NJ) / NJ;
}

KERNEL gemm(double alpha, double beta, double c[NI][NJ], double a[NI][NK], double b[NK][NJ]) {
    for (int i = 0; i < NI; i++) {
        for (int j = 0; j < NJ; j++) c[i][j] *= beta;
        for (int k = 0; k < NK; k++)
            for (int j = 0; j < NJ; j++) c[i][j] += alpha * a[i][k] * b[k][j];
    }
}

int main(int argc, char **argv) {
    double(*a)[NK] = array(sizeof(double[NI][NK]));
    double(*b)[NJ] = array(sizeof(double[NK][NJ]));
    double(*c)[NJ] = array(sizeof(double[NI][NJ]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b, c);
        TIME(gemm(1.5, 1.2, c, a, b));
    }
    SHOW("C", *c, NI * NJ);
}
