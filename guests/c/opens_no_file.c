// Tries to reach files by every way that the C library has. Nothing is mounted, so nothing may be reached.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failures;

static void refused(const char *call, int result) {
    if (result == -1 && errno != 0) {
        return;
    }
    printf("%s was not refused\n", call);
    failures++;
}

int main(void) {
    struct stat status;
    char buffer[16];
    refused("open", open("/etc/hostname", O_RDONLY));
    refused("open, relative", open("hostname", O_RDONLY));
    refused("open, upwards", open("../../../../etc/hostname", O_RDONLY));
    refused("create", open("/tmp/escape", O_CREAT | O_WRONLY, 0644));
    refused("openat", openat(3, "etc/hostname", O_RDONLY));
    refused("stat", stat("/", &status));
    refused("mkdir", mkdir("/tmp/escape", 0755));
    refused("unlink", unlink("/etc/hostname"));
    refused("rename", rename("/etc/hostname", "/etc/escape"));
    refused("readlink", readlink("/proc/self/exe", buffer, sizeof buffer));
    refused("opendir", opendir("/") ? 0 : -1);
    for (int fd = 3; fd < 64; fd++) {
        refused("read", read(fd, buffer, sizeof buffer));
        refused("fstat", fstat(fd, &status));
    }
    printf("%d ways led outside\n", failures);
    return failures;
}
