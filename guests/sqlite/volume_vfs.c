/*
** The VFS `volume`: SQLite on a file system that keeps a promise ordinary ones do not make.
**
** On a protected volume, a crash leaves of every file what it held when it was last synchronised, never less, never a
** part of what was written since (docs/format.md, section 6). So a transaction on one database needs no journal: SQLite
** writes its pages and asks once for them to be made durable. That is SQLite's "batch atomic write":
**
**      BEGIN_ATOMIC_WRITE ──► xWrite, xWrite, ... ──► COMMIT_ATOMIC_WRITE    synchronised: all of it, durably
**                                  │ disk full              │ fails
**                                  └────────────────────────┴──► ROLLBACK_ATOMIC_WRITE    as it was at BEGIN
**
** The file system has no word for taking writes back while the program runs, so the contents that a batch replaces are
** kept here until it is committed. A batch is never larger than SQLite's page cache: what does not fit there is
** journalled by SQLite as ever.
**
** Everything else is the VFS `unix`. The promise does not hold on a directory of the host or in another runtime, which
** is why `unix` stays the default and `volume` has to be asked for.
*/
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "sqlite3.h"
#include "wal_index.h"
#include "wal_index.h"

/* What a write replaced, the latest first. */
struct replaced {
  struct replaced *earlier;
  sqlite3_int64 offset;
  int len;
  unsigned char contents[];
};

/* A database file's batch. */
struct batch {
  int open;
  sqlite3_int64 size; /* The file's, when the batch began */
  struct replaced *latest;
};

/* What is kept of a database file, behind what `unix` keeps of it. */
struct own {
  struct batch batch;
  const char *name;
  struct wal_index_user user;
};

static sqlite3_vfs *unix_vfs;
static sqlite3_vfs volume_vfs;
static const sqlite3_io_methods *unix_methods;
static sqlite3_io_methods volume_methods;

/* Where in a file's memory our own stands: aligned for any of its members. */
static int own_at(void) { return (unix_vfs->szOsFile + 7) & ~7; }

static struct own *own_of(sqlite3_file *file) {
  return (struct own *)((char *)file + own_at());
}

static struct batch *batch_of(sqlite3_file *file) { return &own_of(file)->batch; }

static void forget(struct batch *batch) {
  while (batch->latest) {
    struct replaced *latest = batch->latest;
    batch->latest = latest->earlier;
    sqlite3_free(latest);
  }
  batch->open = 0;
}

/* Keeps what a write is about to replace. What lies behind the end of the file is restored by cutting it. */
static int keep(sqlite3_file *file, struct batch *batch, int len, sqlite3_int64 offset) {
  struct replaced *replaced;
  int rc;
  if (offset >= batch->size) return SQLITE_OK;
  if (len > batch->size - offset) len = (int)(batch->size - offset);
  replaced = sqlite3_malloc64(sizeof *replaced + (sqlite3_uint64)len);
  if (!replaced) return SQLITE_IOERR_NOMEM;
  rc = unix_methods->xRead(file, replaced->contents, len, offset);
  if (rc != SQLITE_OK) {
    sqlite3_free(replaced);
    return rc;
  }
  replaced->offset = offset;
  replaced->len = len;
  replaced->earlier = batch->latest;
  batch->latest = replaced;
  return SQLITE_OK;
}

/* SQLite takes some I/O errors for signs of a corrupt disk and calls the database malformed. On a volume a read that fails
** is just that: the volume has told whoever runs it why, and the database may be whole again when it is. */
static int volume_read(sqlite3_file *file, void *data, int len, sqlite3_int64 offset) {
  int rc = unix_methods->xRead(file, data, len, offset);
  return rc == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : rc;
}

static int volume_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset) {
  struct batch *batch = batch_of(file);
  if (batch->open) {
    int rc = keep(file, batch, len, offset);
    if (rc != SQLITE_OK) return rc;
  }
  return unix_methods->xWrite(file, data, len, offset);
}

static int volume_truncate(sqlite3_file *file, sqlite3_int64 size) {
  struct batch *batch = batch_of(file);
  /* SQLite never cuts a file inside a batch. If it ever does, it has to journal. */
  if (batch->open && size < batch->size) return SQLITE_IOERR_TRUNCATE;
  return unix_methods->xTruncate(file, size);
}

static int begin(sqlite3_file *file) {
  struct batch *batch = batch_of(file);
  int rc;
  forget(batch);
  rc = unix_methods->xFileSize(file, &batch->size);
  batch->open = rc == SQLITE_OK;
  return rc;
}

/* Synchronised here rather than by SQLite's own call that follows: a failure can still be taken back. */
static int commit(sqlite3_file *file) {
  int rc = unix_methods->xSync(file, SQLITE_SYNC_NORMAL);
  if (rc == SQLITE_OK) forget(batch_of(file));
  return rc;
}

static int roll_back(sqlite3_file *file) {
  struct batch *batch = batch_of(file);
  const struct replaced *replaced;
  int rc;
  if (!batch->open) return SQLITE_OK;
  /* Cut first: it gives back the room that was missing. What is written then replaces what is there already. */
  rc = unix_methods->xTruncate(file, batch->size);
  for (replaced = batch->latest; replaced && rc == SQLITE_OK; replaced = replaced->earlier) {
    rc = unix_methods->xWrite(file, replaced->contents, replaced->len, replaced->offset);
  }
  if (rc != SQLITE_OK) {
    /* SQLite ignores failures of this call, and would go on with half a transaction. */
    fprintf(stderr, "sqlite: a transaction failed and cannot be taken back (SQLite error %d); the program ends, check the "
                    "database with PRAGMA integrity_check\n", rc);
    abort();
  }
  forget(batch);
  return SQLITE_OK;
}

static int volume_file_control(sqlite3_file *file, int operation, void *argument) {
  switch (operation) {
    case SQLITE_FCNTL_BEGIN_ATOMIC_WRITE: return begin(file);
    case SQLITE_FCNTL_COMMIT_ATOMIC_WRITE: return commit(file);
    case SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE: return roll_back(file);
    case SQLITE_FCNTL_VFSNAME:
      *(char **)argument = sqlite3_mprintf("%s", volume_vfs.zName);
      return SQLITE_OK;
    default: return unix_methods->xFileControl(file, operation, argument);
  }
}

static int volume_device_characteristics(sqlite3_file *file) {
  return unix_methods->xDeviceCharacteristics(file) | SQLITE_IOCAP_BATCH_ATOMIC | SQLITE_IOCAP_SAFE_APPEND |
         SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

#ifdef __wasi__
static int volume_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
  return wal_index_map(&own_of(file)->user, own_of(file)->name, region, size, extend, memory);
}

static int volume_shm_lock(sqlite3_file *file, int first, int count, int flags) {
  return wal_index_lock(&own_of(file)->user, first, count, flags);
}

/* There is one thread. */
static void volume_shm_barrier(sqlite3_file *file) { (void)file; }

/* The memory is no file, so there is nothing to delete. */
static int volume_shm_unmap(sqlite3_file *file, int delete_file) {
  (void)delete_file;
  return wal_index_unmap(&own_of(file)->user);
}
#endif

static int volume_close(sqlite3_file *file) {
  forget(batch_of(file));
  wal_index_unmap(&own_of(file)->user);
  return unix_methods->xClose(file);
}

/* Whether these are the methods that `unix` gives databases; a file with others is left to it. */
static int adopt(const sqlite3_io_methods *methods) {
  if (!unix_methods) {
    unix_methods = methods;
    volume_methods = *methods;
    volume_methods.xClose = volume_close;
    volume_methods.xRead = volume_read;
    volume_methods.xWrite = volume_write;
    volume_methods.xTruncate = volume_truncate;
    volume_methods.xFileControl = volume_file_control;
    volume_methods.xDeviceCharacteristics = volume_device_characteristics;
#ifdef __wasi__
    volume_methods.xShmMap = volume_shm_map;
    volume_methods.xShmLock = volume_shm_lock;
    volume_methods.xShmBarrier = volume_shm_barrier;
    volume_methods.xShmUnmap = volume_shm_unmap;
#endif
  }
  return methods == unix_methods;
}

static int volume_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *opened) {
  int rc = unix_vfs->xOpen(unix_vfs, name, file, flags, opened);
  (void)vfs;
  if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) && adopt(file->pMethods)) {
    memset(own_of(file), 0, sizeof(struct own));
    own_of(file)->name = name;
    file->pMethods = &volume_methods;
  }
  return rc;
}

#ifdef __wasi__
/* As SQLite has them where the headers have none. */
#ifndef F_GETLK
#define F_UNLCK 2
#define F_GETLK 12
#define F_SETLK 13
#endif

/* WASI has no file locks. Twine mounts a volume for one guest at a time, so there is nobody to lock out; that two
** connections of the same guest keep out of each other's way is SQLite's own bookkeeping, which needs no more than that
** the lock is granted. */
static int grant_locks(int fd, int command, ...) {
  va_list arguments;
  int result;
  va_start(arguments, command);
  switch (command) {
    case F_SETLK: result = 0; break;
    case F_GETLK:
      va_arg(arguments, struct flock *)->l_type = F_UNLCK;
      result = 0;
      break;
    default: result = fcntl(fd, command, va_arg(arguments, int));
  }
  va_end(arguments);
  return result;
}

/* WASI has no permissions of files either. SQLite leaves the call out there, and makes it all the same when it creates a
** temporary file. */
static int keep_mode(int fd, mode_t mode) {
  (void)fd;
  (void)mode;
  return 0;
}
#endif

/* Called by SQLite when it has initialised itself (SQLITE_EXTRA_INIT). */
int register_volume_vfs(const char *unused) {
  (void)unused;
  unix_vfs = sqlite3_vfs_find("unix");
  if (!unix_vfs) return SQLITE_ERROR;
#ifdef __wasi__
  if (unix_vfs->xSetSystemCall(unix_vfs, "fcntl", (sqlite3_syscall_ptr)grant_locks) != SQLITE_OK) return SQLITE_ERROR;
  if (unix_vfs->xSetSystemCall(unix_vfs, "fchmod", (sqlite3_syscall_ptr)keep_mode) != SQLITE_OK) return SQLITE_ERROR;
#endif
  volume_vfs = *unix_vfs;
  volume_vfs.pNext = 0;
  volume_vfs.zName = "volume";
  volume_vfs.szOsFile = own_at() + (int)sizeof(struct own);
  volume_vfs.xOpen = volume_open;
  return sqlite3_vfs_register(&volume_vfs, 0);
}
