// Three matrix products: G = (A B) (C D).
#include "polybench.h"

enum {
    NI = BY_SIZE(16, 40, 180, 800),
    NJ = BY_SIZE(18, 50, 190, 900),
    NK = BY_SIZE(20, 60, 200, 1000),
    NL = BY_SIZE(22, 70, 210, 1100),
    NM = BY_SIZE(24, 80, 220, 1200),
};

static void fill(double a[NI][NK], double b[NK][NJ], double c[NJ][NM], double d[NM][NL]) {
    for (int i = 0; i < NI; i++)
        for (int k = 0; k < NK; k++) a[i][k] = (double)((i * k + 1) % NI) / (5 * NI);
    for (int k = 0; k < NK; k++)
        for (int j = 0; j < NJ; j++) b[k][j] = (double)((k * (j + 1) + 2) % NJ) / (5 * NJ);
    for (int j = 0; j < NJ; j++)
        for (int m = 0; m < NM; m++) c[j][m] = (double)(j * (m + 3) % NL) / (5 * NL);
    for (int m = 0; m < NM; m++)
        for (int l = 0; l < NL; l++) d[m][l] = (double)((m * (l + 2) + 2) % NK) / (5 * NK);
}

KERNEL three_products(double a[NI][NK], double b[NK][NJ], double c[NJ][NM], double d[NM][NL], double ab[NI][NJ],
                      double cd[NJ][NL], double g[NI][NL]) {
    for (int i = 0; i < NI; i++) {
        for (int j = 0; j < NJ; j++) {
            ab[i][j] = 0;
            for (int k = 0; k < NK; k++) ab[i][j] += a[i][k] * b[k][j];
        }
    }
    for (int j = 0; j < NJ; j++) {
        for (int l = 0; l < NL; l++) {
            cd[j][l] = 0;
            for (int m = 0; m < NM; m++) cd[j][l] += c[j][m] * d[m][l];
        }
    }
    for (int i = 0; i < NI; i++) {
        for (int l = 0; l < NL; l++) {
            g[i][l] = 0;
            for (int j = 0; j < NJ; j++) g[i][l] += ab[i][j] * cd[j][l];
        }
    }
}

int main(int argc, char **argv) {
    double(*a)[NK] = array(sizeof(double[NI][NK]));
    double(*b)[NJ] = array(sizeof(double[NK][NJ]));
    double(*c)[NM] = array(sizeof(double[NJ][NM]));
    double(*d)[NL] = array(sizeof(double[NM][NL]));
    double(*ab)[NJ] = array(sizeof(double[NI][NJ]));
    double(*cd)[NL] = array(sizeof(double[NJ][NL]));
    double(*g)[NL] = array(sizeof(double[NI][NL]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b, c, d);
        TIME(three_products(a, b, c, d, ab, cd, g));
    }
    SHOW("G", *g, NI * NL);
}
