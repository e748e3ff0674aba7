// Functions of the C library that SQLite spends its time in, 8 or 16 bytes at a time: those of the pinned toolchain go byte by
// byte, which took 15% of the speed test's instructions.
//
// A string is read in aligned blocks of 16 bytes, so beyond its end but never beyond the memory's.
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wasm_simd128.h>

#define VECTORS __attribute__((target("simd128")))

int memcmp(const void *left, const void *right, size_t len) {
    const unsigned char *a = left, *b = right;
    for (; len >= 8; a += 8, b += 8, len -= 8) {
        uint64_t x, y;
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        if (x != y) {
            int at = __builtin_ctzll(x ^ y) & ~7;
            return (int)(x >> at & 255) - (int)(y >> at & 255);
        }
    }
    for (; len; a++, b++, len--)
        if (*a != *b) return *a - *b;
    return 0;
}

// Which bytes of a block end a string, a bit each: zero, and those of `ends`.
VECTORS static inline uint32_t ending(v128_t block, const char *ends) {
    v128_t found = wasm_i8x16_eq(block, wasm_i8x16_const_splat(0));
    for (; *ends; ends++) found = wasm_v128_or(found, wasm_i8x16_eq(block, wasm_i8x16_splat(*ends)));
    return wasm_i8x16_bitmask(found);
}

VECTORS static inline size_t len_before(const char *string, const char *ends) {
    uintptr_t before = (uintptr_t)string % 16;
    const char *block = string - before;
    uint32_t found = ending(wasm_v128_load(block), ends) >> before << before;
    while (!found) found = ending(wasm_v128_load(block += 16), ends);
    return (size_t)(block + __builtin_ctz(found) - string);
}

VECTORS size_t strcspn(const char *string, const char *ends) { return len_before(string, ends); }

VECTORS size_t strlen(const char *string) { return len_before(string, ""); }
