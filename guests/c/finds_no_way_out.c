// Tries to leave the directory that is mounted at the path that it is given, by every way that the C library has.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failures;

static void refused(const char *call, int result) {
    if (result == -1) {
        return;
    }
    printf("%s was not refused\n", call);
    failures++;
}

int main(int count, char **arguments) {
    if (count != 2 || chdir(arguments[1]) != 0) {
        return 2;
    }
    struct stat status;
    int here = open(".", O_RDONLY | O_DIRECTORY);
    mkdir("dir", 0755);
    symlink("..", "up");
    symlink("../..", "dir/up_twice");
    symlink("dir/../../etc/passwd", "passwd");
    refused("absolute link", symlink("/etc/passwd", "absolute"));
    static const char *const ways[] = {
        "..", "../", "../..", "up", "up/", "up/etc/passwd", "dir/../..", "dir/up_twice/etc", "passwd",
        "dir/up_twice/../etc/passwd", "./../etc/passwd", "/etc/passwd", "//etc/passwd", "dir/./../../etc",
    };
    for (size_t at = 0; at < sizeof ways / sizeof ways[0]; at++) {
        const char *way = ways[at];
        refused(way, openat(here, way, O_RDONLY));
        refused(way, openat(here, way, O_RDWR | O_CREAT, 0644));
        refused(way, fstatat(here, way, &status, 0));
        refused(way, unlinkat(here, way[0] == 'u' || way[0] == 'p' ? "../x" : way, 0));
        refused(way, mkdirat(here, way, 0755));
        refused(way, renameat(here, "dir", here, way));
        refused(way, linkat(here, way, here, "link", AT_SYMLINK_FOLLOW));
    }
    printf("%d ways led outside\n", failures);
    return failures;
}
