// Electric and magnetic fields in two dimensions by finite differences in time.
#include "polybench.h"

enum { STEPS = BY_SIZE(20, 40, 100, 500), NX = BY_SIZE(20, 60, 200, 1000), NY = BY_SIZE(30, 80, 240, 1200) };

static void fill(double ex[NX][NY], double ey[NX][NY], double hz[NX][NY], double edge[STEPS]) {
    for (int step = 0; step < STEPS; step++) edge[step] = step;
    for (int i = 0; i < NX; i++) {
        for (int j = 0; j < NY; j++) {
            ex[i][j] = (double)i * (j + 1) / NX;
            ey[i][j] = (double)i * (j + 2) / NY;
            hz[i][j] = (double)i * (j + 3) / NX;
        }
    }
}

KERNEL fdtd_2d(double ex[NX][NY], double ey[NX][NY], double hz[NX][NY], double edge[STEPS]) {
    for (int step = 0; step < STEPS; step++) {
        for (int j = 0; j < NY; j++) ey[0][j] = edge[step];
        for (int i = 1; i < NX; i++)
            for (int j = 0; j < NY; j++) ey[i][j] = ey[i][j] - 0.5 * (hz[i][j] - hz[i - 1][j]);
        for (int i = 0; i < NX; i++)
            for (int j = 1; j < NY; j++) ex[i][j] = ex[i][j] - 0.5 * (hz[i][j] - hz[i][j - 1]);
        for (int i = 0; i < NX - 1; i++)
            for (int j = 0; j < NY - 1; j++)
                hz[i][j] = hz[i][j] - 0.7 * (ex[i][j + 1] - ex[i][j] + ey[i + 1][j] - ey[i][j]);
    }
}

int main(int argc, char **argv) {
    double(*ex)[NY] = array(sizeof(double[NX][NY]));
    double(*ey)[NY] = array(sizeof(double[NX][NY]));
    double(*hz)[NY] = array(sizeof(double[NX][NY]));
    double *edge = array(sizeof(double[STEPS]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(ex, ey, hz, edge);
        TIME(fdtd_2d(ex, ey, hz, edge));
    }
    SHOW("ex", *ex, NX * NY);
    SHOW("ey", *ey, NX * NY);
    SHOW("hz", *hz, NX * NY);
}
