/*
** The micro-benchmark of the paper (Ménétrey et al., "Twine: An Embedded Trusted Runtime for WebAssembly", ICDE 2021): so many
** records of 1,000 bytes are inserted in one transaction, then read one by one in their order, then as many times at random.
**
**      records DATABASE VFS COUNT
**
** The database has pages of 4 KiB and a page cache of 8 MiB. Output, a line each: how many nanoseconds each part took, and a
** hash of all that was read, which depends on COUNT alone.
*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sqlite3.h"

#define RECORD_LEN 1000

static sqlite3 *database;

static void fail(const char *what) {
  fprintf(stderr, "records: %s: %s\n", what, sqlite3_errmsg(database));
  exit(1);
}

static void execute(const char *sql) {
  if (sqlite3_exec(database, sql, 0, 0, 0) != SQLITE_OK) fail(sql);
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, 0) != SQLITE_OK) fail(sql);
  return statement;
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Marsaglia's generator: the same numbers everywhere. */
static uint64_t next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void insert(int count) {
  sqlite3_stmt *statement = prepare("INSERT INTO records(data) VALUES (?)");
  uint64_t record[RECORD_LEN / 8], state = 88172645463325252u;
  int64_t begin = now();
  execute("BEGIN");
  for (int i = 0; i < count; i++) {
    for (int word = 0; word < RECORD_LEN / 8; word++) record[word] = next(&state);
    sqlite3_bind_blob(statement, 1, record, RECORD_LEN, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE) fail("INSERT");
    sqlite3_reset(statement);
  }
  execute("COMMIT");
  printf("insert %lld\n", (long long)(now() - begin));
  sqlite3_finalize(statement);
}

/* Reads as many records as there are, and mixes into the hash where each begins and ends. */
static void read_all(const char *what, int count, int at_random, uint64_t *hash) {
  sqlite3_stmt *statement = prepare("SELECT data FROM records WHERE id = ?");
  uint64_t state = 2463534242u;
  int64_t begin = now();
  for (int i = 0; i < count; i++) {
    int id = 1 + (at_random ? (int)(next(&state) % (uint64_t)count) : i);
    uint64_t ends[2];
    const unsigned char *data;
    sqlite3_bind_int(statement, 1, id);
    if (sqlite3_step(statement) != SQLITE_ROW) fail("SELECT");
    data = sqlite3_column_blob(statement, 0);
    if (!data || sqlite3_column_bytes(statement, 0) != RECORD_LEN) fail("a record is not what was inserted");
    memcpy(&ends[0], data, 8);
    memcpy(&ends[1], data + RECORD_LEN - 8, 8);
    *hash = (*hash ^ ends[0] ^ ends[1]) * 1099511628211u;
    sqlite3_reset(statement);
  }
  printf("%s %lld\n", what, (long long)(now() - begin));
  sqlite3_finalize(statement);
}

int main(int argc, char **argv) {
  uint64_t hash = 14695981039346656037u;
  int count = argc == 4 ? atoi(argv[3]) : 0;
  if (count < 1) {
    fprintf(stderr, "usage: records DATABASE VFS COUNT\n");
    return 2;
  }
  if (sqlite3_open_v2(argv[1], &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, argv[2]) != SQLITE_OK) fail(argv[1]);
  execute("PRAGMA page_size = 4096");
  execute("PRAGMA cache_size = 2048");
  /* Nobody else has the database, wherever it is. */
  execute("PRAGMA locking_mode = EXCLUSIVE");
  execute("CREATE TABLE records(id INTEGER PRIMARY KEY, data BLOB)");
  insert(count);
  read_all("sequential", count, 0, &hash);
  read_all("random", count, 1, &hash);
  printf("hash %016llx\n", (unsigned long long)hash);
  sqlite3_close(database);
}
