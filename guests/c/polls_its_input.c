// Waits for input with a time limit, then reads what has come.
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    int ready = poll(&input, 1, 10000);
    char line[64];
    ssize_t length = ready == 1 ? read(0, line, sizeof line) : -1;
    printf("ready: %d, read: %zd\n", ready, length);
    return 0;
}
