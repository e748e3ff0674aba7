// Registers handlers and leaves by exit, not by returning: the last handler registered runs first.
#include <stdio.h>
#include <stdlib.h>

static void first(void) { printf("registered first\n"); }
static void second(void) { printf("registered second\n"); }

int main(void) {
    atexit(first);
    atexit(second);
    printf("main leaves\n");
    exit(7);
}
