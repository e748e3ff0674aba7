/*
** The memory that the connections of one process share for a database in WAL mode, the WAL-index.
**
** WASI has neither shared memory nor other processes, so plain memory does: one index for each database file by its
** name, gone with its last user. After a crash SQLite builds it anew from the log.
*/
#ifndef WAL_INDEX_H
#define WAL_INDEX_H

#include "sqlite3.h"

struct wal_index;

/* What one connection has of an index. All zero: nothing. */
struct wal_index_user {
  struct wal_index *index;
  unsigned short shared;    /* Locks held, one bit each */
  unsigned short exclusive;
};

/* The four methods of `sqlite3_io_methods` that have to do with it. `name` is the database's and outlives the user. */
int wal_index_map(struct wal_index_user *, const char *name, int region, int size, int extend, void volatile **);
int wal_index_lock(struct wal_index_user *, int first, int count, int flags);
int wal_index_unmap(struct wal_index_user *);

#endif
