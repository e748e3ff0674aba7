// Closes its output and finds that writing there fails, while the error stream still works.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    int closed = close(1);
    errno = 0;
    ssize_t written = write(1, "lost\n", 5);
    fprintf(stderr, "close: %d, write: %zd, %s\n", closed, written, errno == EBADF ? "bad descriptor" : "other");
    return 0;
}
