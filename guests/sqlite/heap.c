// The heap of SQLite's modules. The C library of the pinned toolchain rounds to powers of two: a page of 4 KiB with SQLite's
// bookkeeping takes 8 KiB there, and all pages begin in the same few sets of the processor's cache. Here eight sizes lie between
// one power of two and the next; what is freed waits for the next of its size. Nobody asks for more than 16 bytes' alignment.
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// In front of every allocation; as long as its alignment.
typedef union header {
    size_t class;
    union header *next;  // While it is free.
    max_align_t alignment;
} header;

// Sizes are counted in these.
#define GRAIN sizeof(header)
#define STEPS 8u
#define CLASSES (32 * STEPS)
#define WASM_PAGE 65536u

static header *vacant[CLASSES];

// Memory that nobody has had yet.
static uintptr_t fresh, fresh_end;

// Grains of a class: 0 to 15 one by one, then 16, 18, … 30, 32, 36, … 60, 64, 72, …
static size_t grains_of(size_t class) {
    return class < 2 * STEPS ? class : (STEPS + class % STEPS) << (class / STEPS - 1);
}

// The smallest class with so many grains.
static size_t class_of(size_t grains) {
    if (grains < 2 * STEPS) return grains;
    size_t shift = 28 - (size_t)__builtin_clz((unsigned)grains - 1);
    return shift * STEPS + ((grains - 1) >> shift) + 1;
}

static size_t room_in(const header *block) { return (grains_of(block->class) - 1) * GRAIN; }

// Asks for so many bytes more, behind those there are if they join.
static int grow(size_t len) {
    size_t pages = (len + WASM_PAGE - 1) / WASM_PAGE;
    size_t before = __builtin_wasm_memory_grow(0, pages);
    if (before == SIZE_MAX) return 0;
    if (before * WASM_PAGE != fresh_end) fresh = before * WASM_PAGE;
    fresh_end = (before + pages) * WASM_PAGE;
    return 1;
}

static header *cut(size_t len) {
    // Whoever asks for memory comes again; near the limit only what is needed is to be had.
    while (fresh_end - fresh < len)
        if (!grow(len + 16 * WASM_PAGE) && !grow(len)) return NULL;
    header *block = (header *)fresh;
    fresh += len;
    return block;
}

// Under a name that the compiler knows nothing about: it would make `calloc` of `malloc` and `memset`, in `calloc` itself.
static void *take(size_t len) {
    size_t class = len > PTRDIFF_MAX ? CLASSES : class_of((len + GRAIN - 1) / GRAIN + 1);
    header *block = class == CLASSES || vacant[class] ? NULL : cut(grains_of(class) * GRAIN);
    if (!block) {
        // What was freed: of this size or, where there is no more memory, the next one that there is.
        while (class < CLASSES && !vacant[class]) class++;
        if (class == CLASSES) {
            errno = ENOMEM;
            return NULL;
        }
        block = vacant[class];
        vacant[class] = block->next;
    }
    block->class = class;
    return block + 1;
}

void *malloc(size_t len) { return take(len); }

void *calloc(size_t count, size_t len) {
    if (__builtin_mul_overflow(count, len, &len)) len = SIZE_MAX;
    void *memory = take(len);
    return memory ? memset(memory, 0, len) : NULL;
}

void free(void *memory) {
    if (!memory) return;
    header *block = (header *)memory - 1;
    size_t class = block->class;
    block->next = vacant[class];
    vacant[class] = block;
}

size_t malloc_usable_size(void *memory) { return memory ? room_in((header *)memory - 1) : 0; }

void *realloc(void *memory, size_t len) {
    if (!memory) return take(len);
    size_t room = malloc_usable_size(memory);
    // What fits stays, unless most of the room would be wasted.
    if (len <= room && len > room / 2) return memory;
    void *moved = take(len);
    if (!moved) return len <= room ? memory : NULL;
    memcpy(moved, memory, len < room ? len : room);
    free(memory);
    return moved;
}
