// Waits 30 ms for input that does not come, twice: with poll and with select.
#include <poll.h>
#include <stdio.h>
#include <sys/select.h>

int main(void) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    printf("poll: %d\n", poll(&input, 1, 30));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(0, &set);
    struct timeval limit = {0, 30000};
    printf("select: %d\n", select(1, &set, NULL, NULL, &limit));
    return 0;
}
