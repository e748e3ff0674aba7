// Covariances of M attributes over N points.
#include "polybench.h"

enum { M = BY_SIZE(28, 80, 240, 1200), N = BY_SIZE(32, 100, 260, 1400) };

static void fill(double data[N][M]) {
    for (int point = 0; point < N; point++)
        for (int a = 0; a < M; a++) data[point][a] = (double)point * a / M;
}

KERNEL covariance(double points, double data[N][M], double cov[M][M], double mean[M]) {
    for (int a = 0; a < M; a++) {
        mean[a] = 0;
        for (int point = 0; point < N; point++) mean[a] += data[point][a];
        mean[a] /= points;
    }
    for (int point = 0; point < N; point++)
        for (int a = 0; a < M; a++) data[point][a] -= mean[a];
    for (int a = 0; a < M; a++) {
        for (int b = a; b < M; b++) {
            cov[a][b] = 0;
            for (int point = 0; point < N; point++) cov[a][b] += data[point][a] * data[point][b];
            cov[a][b] /= points - 1;
            cov[b][a] = cov[a][b];
        }
    }
}

int main(int argc, char **argv) {
    double(*data)[M] = array(sizeof(double[N][M]));
    double(*cov)[M] = array(sizeof(double[M][M]));
    double *mean = array(sizeof(double[M]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(data);
        TIME(covariance(N, data, cov, mean));
    }
    SHOW("cov", *cov, M * M);
}
