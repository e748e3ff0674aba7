// Does in the directory that it is given what programs do with files, and prints what POSIX says has to come out.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// C libraries have different words for the same error.
static const char *name(int error) {
    switch (error) {
    case EBADF: return "EBADF";
    case EEXIST: return "EEXIST";
    case EISDIR: return "EISDIR";
    case ELOOP: return "ELOOP";
    case ENOENT: return "ENOENT";
    case ENOTDIR: return "ENOTDIR";
    case ENOTEMPTY: return "ENOTEMPTY";
    default: return "another error";
    }
}

static void show(const char *call, long result) {
    printf("%s: %ld %s\n", call, result, result < 0 ? name(errno) : "");
}

static void contents(const char *path) {
    char buffer[64] = "";
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(buffer, 1, sizeof buffer - 1, file) : 0;
    printf("%s holds %zu bytes: %s\n", path, length, buffer);
    if (file) {
        fclose(file);
    }
}

static int by_name(const void *left, const void *right) {
    return strcmp(left, right);
}

static void list(const char *path) {
    char names[32][32];
    size_t count = 0;
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory)) && count < 32;) {
        strncpy(names[count++], entry->d_name, sizeof names[0] - 1)[31] = 0;
    }
    qsort(names, count, sizeof names[0], by_name);
    for (size_t at = 0; at < count; at++) {
        printf("%s has %s\n", path, names[at]);
    }
    closedir(directory);
}

static void streams(void) {
    FILE *file = fopen("text", "w+");
    fprintf(file, "one\ntwo\nthree\n");
    fseek(file, 4, SEEK_SET);
    char line[16];
    printf("second line: %s", fgets(line, sizeof line, file));
    fclose(file);
    file = fopen("text", "a");
    fputs("four\n", file);
    fclose(file);
    contents("text");
}

static void descriptors(void) {
    int fd = open("data", O_CREAT | O_EXCL | O_RDWR, 0644);
    show("create again", open("data", O_CREAT | O_EXCL | O_RDWR, 0644));
    struct iovec parts[] = {{"abc", 3}, {"", 0}, {"defg", 4}};
    show("writev", writev(fd, parts, 3));
    show("pwrite", pwrite(fd, "XY", 2, 10));
    show("seek", lseek(fd, -2, SEEK_END));
    char buffer[16] = "";
    show("pread", pread(fd, buffer, sizeof buffer, 0));
    printf("hole: %d%d%d\n", buffer[7], buffer[8], buffer[9]);
    show("truncate", ftruncate(fd, 2));
    show("extend", ftruncate(fd, 5));
    struct stat status;
    show("fstat", fstat(fd, &status));
    printf("size %ld, links %ld\n", (long)status.st_size, (long)status.st_nlink);
    show("sync", fsync(fd));
    show("unlink while open", unlink("data"));
    show("write while removed", pwrite(fd, "still", 5, 0));
    show("stat", stat("data", &status));
    show("close", close(fd));
    show("close again", close(fd));
}

static void names(void) {
    show("mkdir", mkdir("dir", 0755));
    show("mkdir again", mkdir("dir", 0755));
    show("rename into", rename("text", "dir/text"));
    show("link", link("dir/text", "same"));
    show("symlink", symlink("dir/text", "pointer"));
    contents("pointer");
    list("dir");
    list(".");
    show("rmdir, full", rmdir("dir"));
    show("rename onto a directory", rename("same", "dir"));
    show("loop", symlink("loop", "loop"));
    show("open the loop", open("loop", O_RDONLY));
    show("remove", remove("dir/text") | remove("same") | remove("pointer") | remove("loop"));
    show("rmdir", rmdir("dir"));
    list(".");
}

int main(int count, char **arguments) {
    if (count != 2 || chdir(arguments[1]) != 0) {
        return 2;
    }
    streams();
    descriptors();
    names();
    return 0;
}
