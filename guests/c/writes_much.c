// Writes 8 MiB in which every line is different, far more than any buffer on the way holds.
#include <stdio.h>

int main(void) {
    for (unsigned i = 0; i < 131072; i++) {
        printf("%08x and sixty-four bytes in every line, its line end included\n", i * 2654435761u);
    }
    return 0;
}
