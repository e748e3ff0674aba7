// Multi-resolution analysis: each row of A, over its first two dimensions, times the matrix C.
#include "polybench.h"

enum { NQ = BY_SIZE(8, 20, 40, 140), NR = BY_SIZE(10, 25, 50, 150), NP = BY_SIZE(12, 30, 60, 160) };

static void fill(double a[NR][NQ][NP], double c[NP][NP]) {
    for (int r = 0; r < NR; r++)
        for (int q = 0; q < NQ; q++)
            for (int p = 0; p < NP; p++) a[r][q][p] = (double)((r * q + p) % NP) / NP;
    for (int s = 0; s < NP; s++)
        for (int p = 0; p < NP; p++) c[s][p] = (double)(s * p % NP) / NP;
}

KERNEL doitgen(double a[NR][NQ][NP], double c[NP][NP], double product[NP]) {
    for (int r = 0; r < NR; r++) {
        for (int q = 0; q < NQ; q++) {
            for (int p = 0; p < NP; p++) {
                product[p] = 0;
                for (int s = 0; s < NP; s++) product[p] += a[r][q][s] * c[s][p];
            }
            for (int p = 0; p < NP; p++) a[r][q][p] = product[p];
        }
    }
}

int main(int argc, char **argv) {
    double(*a)[NQ][NP] = array(sizeof(double[NR][NQ][NP]));
    double(*c)[NP] = array(sizeof(double[NP][NP]));
    double *product = array(sizeof(double[NP]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, c);
        TIME(doitgen(a, c, product));
    }
    SHOW("A", **a, NR * NQ * NP);
}
