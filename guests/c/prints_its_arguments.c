// Prints every argument with its number and length: an argument may be empty or hold any byte.
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        printf("%d %zu [%s]\n", i, strlen(argv[i]), argv[i]);
    }
    return 0;
}
