// Durbin's recursion: solves the Yule-Walker equations, a Toeplitz system.
#include "polybench.h"

enum { N = BY_SIZE(40, 120, 400, 2000) };

static void fill(double r[N]) {
    for (int i = 0; i < N; i++) r[i] = N + 1 - i;
}

KERNEL durbin(double r[N], double y[N]) {
    double next[N];
    double beta = 1, alpha = -r[0];
    y[0] = -r[0];
    for (int k = 1; k < N; k++) {
        double sum = 0;
        beta = (1 - alpha * alpha) * beta;
        for (int i = 0; i < k; i++) sum += r[k - i - 1] * y[i];
        alpha = -(r[k] + sum) / beta;
        for (int i = 0; i < k; i++) next[i] = y[i] + alpha * y[k - i - 1];
        for (int i = 0; i < k; i++) y[i] = next[i];
        y[k] = alpha;
    }
}

int main(int argc, char **argv) {
    double *r = array(sizeof(double[N]));
    double *y = array(sizeof(double[N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(r);
        TIME(durbin(r, y));
    }
    SHOW("y", y, N);
}
