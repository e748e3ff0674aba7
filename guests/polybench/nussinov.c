// Nussinov's algorithm: how a strand of RNA folds so that most of its bases pair, by dynamic programming.
#include "polybench.h"

enum { N = BY_SIZE(60, 180, 500, 2500) };

#define BEST(a, b) ((a) >= (b) ? (a) : (b))

// Bases are 0 to 3; those that pair add up to 3.
#define PAIR(a, b) ((a) + (b) == 3 ? 1 : 0)

static void fill(char strand[N], int best[N][N]) {
    for (int i = 0; i < N; i++) {
        strand[i] = (char)((i + 1) % 4);
        for (int j = 0; j < N; j++) best[i][j] = 0;
    }
}

KERNEL nussinov(char strand[N], int best[N][N]) {
    for (int i = N - 1; i >= 0; i--) {
        for (int j = i + 1; j < N; j++) {
            if (j - 1 >= 0) best[i][j] = BEST(best[i][j], best[i][j - 1]);
            if (i + 1 < N) best[i][j] = BEST(best[i][j], best[i + 1][j]);
            if (j - 1 >= 0 && i + 1 < N) {
                // Neighbours cannot pair.
                if (i < j - 1)
                    best[i][j] = BEST(best[i][j], best[i + 1][j - 1] + PAIR(strand[i], strand[j]));
                else
                    best[i][j] = BEST(best[i][j], best[i + 1][j - 1]);
            }
            for (int k = i + 1; k < j; k++) best[i][j] = BEST(best[i][j], best[i][k] + best[k + 1][j]);
        }
    }
}

int main(int argc, char **argv) {
    char *strand = array(N);
    int(*best)[N] = array(sizeof(int[N][N]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(strand, best);
        TIME(nussinov(strand, best));
    }
    SHOW("table", *best, N * N);
}
