// Recurses with a frame on the stack that the compiler cannot remove.
#include <stdio.h>

__attribute__((noinline)) static int recurse(volatile int *above) {
    volatile int frame[64];
    frame[0] = above ? *above + 1 : 0;
    return recurse(frame) + frame[0];
}

int main(void) { return printf("%d\n", recurse(0)); }
