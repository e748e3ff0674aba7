// Reads both clocks: the monotonic one never goes backwards, the other one is later than this program was written.
#include <stdio.h>
#include <time.h>

static long long read_ns(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) {
        return -1;
    }
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(void) {
    struct timespec resolution;
    if (clock_getres(CLOCK_MONOTONIC, &resolution) != 0 || resolution.tv_sec != 0 || resolution.tv_nsec == 0) {
        printf("the resolution makes no sense\n");
        return 1;
    }
    long long last = read_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < 1000; i++) {
        long long now = read_ns(CLOCK_MONOTONIC);
        if (now < last || last < 0) {
            printf("time went backwards, from %lld to %lld\n", last, now);
            return 2;
        }
        last = now;
    }
    // 2025-01-01 00:00 UTC
    printf("after 2025: %s\n", read_ns(CLOCK_REALTIME) / 1000000000LL > 1735689600LL ? "yes" : "no");
    return 0;
}
