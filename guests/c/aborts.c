// Says a word and calls abort, which is a trap in WebAssembly.
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static void give_up(void) { abort(); }

int main(void) {
    fprintf(stderr, "giving up\n");
    give_up();
    return 0;
}
