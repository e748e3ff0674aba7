// Floyd's and Warshall's algorithm: the shortest paths between all nodes of a graph.
#include "polybench.h"

enum { N = BY_SIZE(60, 180, 500, 2800), FAR = 999 };

static void fill(int path[N][N]) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            int apart = (i + j) % 13 == 0 || (i + j) % 7 == 0 || (i + j) % 11 == 0;
            path[i][j] = apart ? FAR : i * j % 7 + 1;
        }
    }
}

KERNEL floyd_warshall(int path[N][N]) {
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                path[i][j] = path[i][j] < path[i][k] + path[k][j] ? path[i][j] : path[i][k] + path[k][j];
}

int main(int argc, char **argv) {
    int(*path)[N] = array(sizeof(int[N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(path);
        TIME(floyd_warshall(path));
    }
    SHOW("path", *path, N * N);
}
