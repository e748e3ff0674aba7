// Jacobi's iteration on a line: each point becomes the mean of itself and its neighbours.
#include "polybench.h"

enum { STEPS = BY_SIZE(20, 40, 100, 500), N = BY_SIZE(30, 120, 400, 2000) };

static void fill(double a[N], double b[N]) {
    for (int i = 0; i < N; i++) {
        a[i] = ((double)i + 2) / N;
        b[i] = ((double)i + 3) / N;
    }
}

KERNEL jacobi_1d(double a[N], double b[N]) {
    for (int step = 0; step < STEPS; step++) {
        for (int i = 1; i < N - 1; i++) b[i] = 0.33333 * (a[i - 1] + a[i] + a[i + 1]);
        for (int i = 1; i < N - 1; i++) a[i] = 0.33333 * (b[i - 1] + b[i] + b[i + 1]);
    }
}

int main(int argc, char **argv) {
    double *a = array(sizeof(double[N]));
    double *b = array(sizeof(double[N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(a, b);
        TIME(jacobi_1d(a, b));
    }
    SHOW("A", a, N);
}
