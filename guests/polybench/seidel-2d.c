// Gauss and Seidel's iteration on a plane: each point becomes the mean of the nine around it, in place.
#include "polybench.h"

enum { STEPS = BY_SIZE(20, 40, 100, 500), N = BY_SIZE(40, 120, 400, 2000) };

static void fill(double a[N][N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i][j] = ((double)i * (j + 2) + 2) / N;
}

KERNEL seidel_2d(double a[N][N]) {
    for (int step = 0; step < STEPS; step++)
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                a[i][j] = (a[i - 1][j - 1] + a[i - 1][j] + a[i - 1][j + 1] + a[i][j - 1] + a[i][j] + a[i][j + 1] +
                           a[i + 1][j - 1] + a[i + 1][j] + a[i + 1][j + 1]) /
                          9;
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a);
        TIME(seidel_2d(a));
    }
    SHOW("A", *a, N * N);
}
