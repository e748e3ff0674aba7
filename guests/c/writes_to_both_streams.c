// Writes to the output and to the error stream, which must not be confused.
#include <stdio.h>

int main(void) {
    for (int i = 0; i < 3; i++) {
        fprintf(stdout, "out %d\n", i);
        fprintf(stderr, "err %d\n", i);
    }
    return 0;
}
