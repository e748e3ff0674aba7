// Integer and floating-point work on a few megabytes: sorting, a hash, a matrix product.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define N 200000
#define M 160

static uint64_t state = 88172645463325252ULL;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int main(void) {
    uint64_t *numbers = malloc(N * sizeof *numbers);
    double(*a)[M] = malloc(3 * M * sizeof *a), (*b)[M] = a + M, (*c)[M] = b + M;
    for (int i = 0; i < N; i++) {
        numbers[i] = next();
    }
    qsort(numbers, N, sizeof *numbers, compare);
    uint64_t hash = 14695981039346656037ULL;
    for (int i = 0; i < N; i++) {
        hash = (hash ^ numbers[i]) * 1099511628211ULL;
    }
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < M; j++) {
            a[i][j] = (double)(next() % 1000) / 7.0;
            b[i][j] = (double)(next() % 1000) / 11.0;
        }
    }
    double trace = 0;
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < M; j++) {
            c[i][j] = 0;
            for (int k = 0; k < M; k++) {
                c[i][j] += a[i][k] * b[k][j];
            }
        }
        trace += c[i][i];
    }
    printf("median %llu, hash %016llx, trace %.17g\n", (unsigned long long)numbers[N / 2], (unsigned long long)hash,
           trace);
    free(a);
    free(numbers);
    return 0;
}
