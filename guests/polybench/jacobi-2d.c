// Jacobi's iteration on a plane: each point becomes the mean of itself and its four neighbours.
#include "polybench.h"

enum { STEPS = BY_SIZE(20, 40, 100, 500), N = BY_SIZE(30, 90, 250, 1300) };

static void fill(double a[N][N], double b[N][N]) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = ((double)i * (j + 2) + 2) / N;
            b[i][j] = ((double)i * (j + 3) + 3) / N;
        }
    }
}

KERNEL jacobi_2d(double a[N][N], double b[N][N]) {
    for (int step = 0; step < STEPS; step++) {
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                b[i][j] = 0.2 * (a[i][j] + a[i][j - 1] + a[i][j + 1] + a[i + 1][j] + a[i - 1][j]);
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                a[i][j] = 0.2 * (b[i][j] + b[i][j - 1] + b[i][j + 1] + b[i + 1][j] + b[i - 1][j]);
    }
}

int main(int argc, char **argv) {
    double(*a)[N] = array(sizeof(double[N][N]));
    double(*b)[N] = array(sizeof(double[N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b);
        TIME(jacobi_2d(a, b));
    }
    SHOW("A", *a, N * N);
}
