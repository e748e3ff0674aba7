// Two matrix products: D = alpha A B C + beta D.
#include "polybench.h"

enum {
    NI = BY_SIZE(16, 40, 180, 800),
    NJ = BY_SIZE(18, 50, 190, 900),
    NK = BY_SIZE(22, 70, 210, 1100),
    NL = BY_SIZE(24, 80, 220, 1200),
};

static void fill(double a[NI][NK], double b[NK][NJ], double c[NJ][NL], double d[NI][NL]) {
    for (int i = 0; i < NI; i++)
        for (int k = 0; k < NK; k++) a[i][k] = (double)((i * k + 1) % NI) / NI;
    for (int k = 0; k < NK; k++)
        for (int j = 0; j < NJ; j++) b[k][j] = (double)(k * (j + 1) % NJ) / NJ;
    for (int j = 0; j < NJ; j++)
        for (int l = 0; l < NL; l++) c[j][l] = (double)((j * (l + 3) + 1) % NL) / NL;
    for (int i = 0; i < NI; i++)
        for (int l = 0; l < NL; l++) d[i][l] = (double)(i * (l + 2) % NK) / NK;
}

KERNEL two_products(double alpha, double beta, double ab[NI][NJ], double a[NI][NK], double b[NK][NJ], double c[NJ][NL],
                    double d[NI][NL]) {
    for (int i = 0; i < NI; i++) {
        for (int j = 0; j < NJ; j++) {
            ab[i][j] = 0;
            for (int k = 0; k < NK; k++) ab[i][j] += alpha * a[i][k] * b[k][j];
        }
    }
    for (int i = 0; i < NI; i++) {
        for (int l = 0; l < NL; l++) {
            d[i][l] *= beta;
            for (int j = 0; j < NJ; j++) d[i][l] += ab[i][j] * c[j][l];
        }
    }
}

int main(int argc, char **argv) {
    double(*a)[NK] = array(sizeof(double[NI][NK]));
    double(*b)[NJ] = array(sizeof(double[NK][NJ]));
    double(*c)[NL] = array(sizeof(double[NJ][NL]));
    double(*d)[NL] = array(sizeof(double[NI][NL]));
    double(*ab)[NJ] = array(sizeof(double[NI][NJ]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b, c, d);
        TIME(two_products(1.5, 1.2, ab, a, b, c, d));
    }
    SHOW("D", *d, NI * NL);
}
