#include "wal_index.h"

#include <string.h>

/* An index: its regions, and who holds its locks. */
struct wal_index {
  struct wal_index *next;
  const char *name;
  int users;
  int regions;
  void **region;
  int held[SQLITE_SHM_NLOCK]; /* -1: exclusively; else by how many */
};

static struct wal_index *first_index;

static int join(struct wal_index_user *user, const char *name) {
  struct wal_index *index = first_index;
  while (index && strcmp(index->name, name) != 0) index = index->next;
  if (!index) {
    index = sqlite3_malloc64(sizeof *index + strlen(name) + 1);
    if (!index) return SQLITE_NOMEM;
    memset(index, 0, sizeof *index);
    index->name = strcpy((char *)(index + 1), name);
    index->next = first_index;
    first_index = index;
  }
  index->users++;
  user->index = index;
  return SQLITE_OK;
}

static int grow(struct wal_index *index, int regions, int size) {
  void **region = sqlite3_realloc64(index->region, (sqlite3_uint64)regions * sizeof *region);
  if (!region) return SQLITE_NOMEM;
  index->region = region;
  while (index->regions < regions) {
    void *memory = sqlite3_malloc(size);
    if (!memory) return SQLITE_NOMEM;
    memset(memory, 0, size);
    region[index->regions++] = memory;
  }
  return SQLITE_OK;
}

int wal_index_map(struct wal_index_user *user, const char *name, int region, int size, int extend, void volatile **memory) {
  int rc = user->index ? SQLITE_OK : join(user, name);
  *memory = 0;
  if (rc == SQLITE_OK && extend && region >= user->index->regions) rc = grow(user->index, region + 1, size);
  if (rc == SQLITE_OK && region < user->index->regions) *memory = user->index->region[region];
  return rc;
}

static void release(struct wal_index_user *user, int lock) {
  unsigned short bit = 1 << lock;
  if (user->shared & bit) user->index->held[lock]--;
  if (user->exclusive & bit) user->index->held[lock] = 0;
  user->shared &= ~bit;
  user->exclusive &= ~bit;
}

int wal_index_lock(struct wal_index_user *user, int first, int count, int flags) {
  int lock, end = first + count, exclusive = flags & SQLITE_SHM_EXCLUSIVE;
  if (!user->index) return SQLITE_IOERR_SHMLOCK;
  if (flags & SQLITE_SHM_UNLOCK) {
    for (lock = first; lock < end; lock++) release(user, lock);
    return SQLITE_OK;
  }
  for (lock = first; lock < end; lock++) {
    int others = user->index->held[lock];
    unsigned short bit = 1 << lock;
    if (user->exclusive & bit) others = 0;
    else if (user->shared & bit) others--;
    if (exclusive ? others != 0 : others < 0) return SQLITE_BUSY;
  }
  for (lock = first; lock < end; lock++) {
    unsigned short bit = 1 << lock;
    if (!exclusive && (user->shared & bit)) continue;
    release(user, lock);
    if (exclusive) user->index->held[lock] = -1;
    else user->index->held[lock]++;
    *(exclusive ? &user->exclusive : &user->shared) |= bit;
  }
  return SQLITE_OK;
}

int wal_index_unmap(struct wal_index_user *user) {
  struct wal_index *index = user->index, **link = &first_index;
  int lock;
  if (!index) return SQLITE_OK;
  for (lock = 0; lock < SQLITE_SHM_NLOCK; lock++) release(user, lock);
  user->index = 0;
  if (--index->users > 0) return SQLITE_OK;
  while (*link != index) link = &(*link)->next;
  *link = index->next;
  while (index->regions > 0) sqlite3_free(index->region[--index->regions]);
  sqlite3_free(index->region);
  sqlite3_free(index);
  return SQLITE_OK;
}
