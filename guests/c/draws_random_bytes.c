// Draws random bytes in several sizes: no two draws are the same, and about half of all bits are set.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    static unsigned char draws[64][256];
    int bits = 0;
    for (int i = 0; i < 64; i++) {
        if (getentropy(draws[i], sizeof draws[i]) != 0) {
            printf("no random bytes\n");
            return 1;
        }
        for (int j = 0; j < i; j++) {
            if (memcmp(draws[i], draws[j], 16) == 0) {
                printf("draws %d and %d begin alike\n", i, j);
                return 2;
            }
        }
        for (int j = 0; j < 256; j++) {
            bits += __builtin_popcount(draws[i][j]);
        }
    }
    // 131072 bits: a fair source stays within 1% of one half but for one run in 10^12.
    printf("half of the bits are set: %s\n", bits > 64226 && bits < 66846 ? "yes" : "no");
    return 0;
}
