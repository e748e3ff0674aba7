// Sleeps for 30 ms and finds that at least so much time has gone by.
#include <stdio.h>
#include <time.h>

int main(void) {
    struct timespec begin, end, pause = {0, 30 * 1000 * 1000};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (nanosleep(&pause, NULL) != 0) {
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    long long slept = (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec;
    printf("slept long enough: %s\n", slept >= pause.tv_nsec ? "yes" : "no");
    return 0;
}
