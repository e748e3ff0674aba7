// Allocates and touches memory until it is refused, gives it back, and goes on living.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (1 << 20)

int main(void) {
    void *chain = NULL;
    int count = 0;
    for (;;) {
        void **block = malloc(BLOCK);
        if (block == NULL) {
            break;
        }
        memset(block, 0x5a, BLOCK);
        *block = chain;
        chain = block;
        count++;
    }
    while (chain) {
        void *next = *(void **)chain;
        free(chain);
        chain = next;
    }
    printf("%d MiB, then refused; one more MiB now: %s\n", count, malloc(BLOCK) ? "yes" : "no");
    return 0;
}
