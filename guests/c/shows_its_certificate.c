// Prints files in the folder that it is given, as a server reads them, and sees to it that it cannot change them. Keeps
// nothing of what it has read.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static volatile char buffer[4096];

static int show(const char *path) {
    int file = open(path, O_RDONLY);
    ssize_t length, written = 0;
    while (written >= 0 && (length = read(file, (void *)buffer, sizeof buffer)) > 0) {
        written = write(1, (const void *)buffer, length);
    }
    for (unsigned i = 0; i < sizeof buffer; i++) {
        buffer[i] = 0;
    }
    return close(file) | (int)length | (written <= 0);
}

int main(int count, char **arguments) {
    for (int i = 2; i < count; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", arguments[1], arguments[i]);
        if (show(path) != 0) {
            perror(path);
            return 1;
        }
        if (open(path, O_WRONLY) >= 0 || errno != EROFS || unlink(path) == 0 || errno != EROFS) {
            fprintf(stderr, "%s can be changed\n", path);
            return 1;
        }
    }
    return count < 3;
}
