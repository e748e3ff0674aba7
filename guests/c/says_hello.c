// The smallest program that everybody knows.
#include <stdio.h>

int main(void) {
    printf("Hello from C.\n");
    return 0;
}
