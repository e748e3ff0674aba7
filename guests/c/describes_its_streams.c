// Prints what WASI says of the three standard streams: kind, flags, and the rights that matter.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __wasi__
#include <wasi/api.h>

static void describe(__wasi_fd_t fd) {
    __wasi_fdstat_t status;
    __wasi_errno_t error = __wasi_fd_fdstat_get(fd, &status);
    if (error != 0) {
        printf("%d: error %d\n", (int)fd, error);
        return;
    }
    printf("%d: kind %d, flags %d, read %d, write %d, seek %d, poll %d\n", (int)fd, status.fs_filetype,
           status.fs_flags, (status.fs_rights_base & __WASI_RIGHTS_FD_READ) != 0,
           (status.fs_rights_base & __WASI_RIGHTS_FD_WRITE) != 0, (status.fs_rights_base & __WASI_RIGHTS_FD_SEEK) != 0,
           (status.fs_rights_base & __WASI_RIGHTS_POLL_FD_READWRITE) != 0);
}
#else
static void describe(int fd) { printf("%d: only WASI describes it\n", fd); }
#endif

int main(void) {
    for (int fd = 0; fd < 4; fd++) {
        describe(fd);
    }
    printf("seek: %s\n", lseek(1, 0, SEEK_CUR) == -1 && errno == ESPIPE ? "illegal" : "allowed");
    printf("terminal: %d\n", isatty(1));
    return 0;
}
