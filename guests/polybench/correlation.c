// Correlation coefficients of M attributes over N points.
#include <math.h>

#include "polybench.h"

enum { M = BY_SIZE(28, 80, 240, 1200), N = BY_SIZE(32, 100, 260, 1400) };

static void fill(double data[N][M]) {
    for (int point = 0; point < N; point++)
        for (int a = 0; a < M; a++) data[point][a] = (double)(point * a) / M + point;
}

KERNEL correlation(double points, double data[N][M], double corr[M][M], double mean[M], double deviation[M]) {
    const double smallest = 0.1;
    for (int a = 0; a < M; a++) {
        mean[a] = 0;
        for (int point = 0; point < N; point++) mean[a] += data[point][a];
        mean[a] /= points;
    }
    for (int a = 0; a < M; a++) {
        deviation[a] = 0;
        for (int point = 0; point < N; point++) deviation[a] += (data[point][a] - mean[a]) * (data[point][a] - mean[a]);
        deviation[a] /= points;
        deviation[a] = sqrt(deviation[a]);
        // What hardly varies must not be divided by next to nothing.
        deviation[a] = deviation[a] <= smallest ? 1 : deviation[a];
    }
    for (int point = 0; point < N; point++) {
        for (int a = 0; a < M; a++) {
            data[point][a] -= mean[a];
            data[point][a] /= sqrt(points) * deviation[a];
        }
    }
    for (int a = 0; a < M - 1; a++) {
        corr[a][a] = 1;
        for (int b = a + 1; b < M; b++) {
            corr[a][b] = 0;
            for (int point = 0; point < N; point++) corr[a][b] += data[point][a] * data[point][b];
            corr[b][a] = corr[a][b];
        }
    }
    corr[M - 1][M - 1] = 1;
}

int main(int argc, char **argv) {
    double(*data)[M] = array(sizeof(double[N][M]));
    double(*corr)[M] = array(sizeof(double[M][M]));
    double *mean = array(sizeof(double[M]));
    double *deviation = array(sizeof(double[M]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(data);
        TIME(correlation(N, data, corr, mean, deviation));
    }
    SHOW("corr", *corr, M * M);
}
