// What the 30 kernels share: data sizes, memory, time, and a summary of the results.
//
// A kernel is one file with the same five parts: its sizes, `fill` (the published initial values), the kernel itself, and
// `main`, which takes the number of rounds, times each of them alone, and shows every array that is live after the last.
// Output, a line each:
//
//     time 1234567                                         nanoseconds of one round, the filling left out
//     C 44000 sum 1.2345678901234567e+06 hash 0123456789abcdef
//
// A second argument, `values`, adds every value. The sum is taken in order and the hash is over the values' bytes, so two
// programs with the same lines have computed the same, bit by bit.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINI 0
#define SMALL 1
#define MEDIUM 2
#define LARGE 3

#ifndef SIZE
#define SIZE MINI
#endif

// A dimension, by the size that the program is compiled for.
#define BY_SIZE(mini, small, medium, large) \
    (SIZE == MINI ? (mini) : SIZE == SMALL ? (small) : SIZE == MEDIUM ? (medium) : (large))

// What is timed stands alone: not mixed with the filling, and under its own name in a profile.
#define KERNEL static __attribute__((noinline)) void

// Zeroed memory for an array. The compiler must not learn that arrays do not overlap: it is not told of the kernels'
// parameters either.
static inline void *array(size_t len) {
    void *memory = aligned_alloc(4096, (len + 4095) / 4096 * 4096);
    if (!memory) {
        fprintf(stderr, "no memory for an array of %zu bytes\n", len);
        exit(1);
    }
    memset(memory, 0, len);
    __asm__ volatile("" : "+r"(memory) : : "memory");
    return memory;
}

static inline int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// How often to run the kernel: the first argument, or once.
static inline int rounds(int argc, char **argv) { return argc > 1 ? atoi(argv[1]) : 1; }

// Whether every value is wanted: the second argument is there.
static inline int values(int argc, char **argv) { return argc > 2 && strcmp(argv[2], "values") == 0; }

// Runs a kernel and tells how long it took.
#define TIME(call)                                                  \
    do {                                                            \
        int64_t begin = now();                                      \
        call;                                                       \
        printf("time %lld\n", (long long)(now() - begin));          \
    } while (0)

// Shows an array that is live at the end: its name, its first element, how many there are.
#define SHOW(name, first, count)                                                                      \
    show(name, first, sizeof *(first), _Generic(*(first), double: 'd', float: 'f', int: 'i'), count, \
         values(argc, argv))

static inline void show(const char *name, const void *first, size_t len, char type, size_t count, int all) {
    const unsigned char *bytes = first;
    uint64_t hash = 14695981039346656037u;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const void *element = bytes + i * len;
        double value = type == 'd' ? *(const double *)element : type == 'f' ? *(const float *)element : *(const int *)element;
        sum += value;
        if (all) printf("%.17g\n", value);
    }
    for (size_t i = 0; i < count * len; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
    printf("%s %zu sum %.17g hash %016llx\n", name, count, sum, (unsigned long long)hash);
}

// A positive definite matrix, for the kernels that factorise one: L times its transpose, with ones on L's diagonal and
// 1 - column/n below it.
static inline void positive_definite(int n, double a[n][n]) {
    double(*l)[n] = array(sizeof(double[n][n]));
    for (int row = 0; row < n; row++) {
        for (int column = 0; column < row; column++) l[row][column] = (double)-column / n + 1;
        l[row][row] = 1;
    }
    for (int row = 0; row < n; row++) {
        for (int column = 0; column <= row; column++) {
            double sum = 0;
            for (int k = 0; k <= column; k++) sum += l[row][k] * l[column][k];
            a[row][column] = sum;
            a[column][row] = sum;
        }
    }
    free(l);
}
