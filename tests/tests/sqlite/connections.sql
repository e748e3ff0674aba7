-- Two connections of one program to a database in WAL mode.
.bail off
PRAGMA journal_mode = WAL;
CREATE TABLE t(a);
INSERT INTO t VALUES (1), (2);
.connection 1
.open main.db
SELECT 'second sees', count(*) FROM t;
BEGIN;
SELECT 'second begins at', count(*) FROM t;
.connection 0
INSERT INTO t VALUES (3);
SELECT 'first sees', count(*) FROM t;
-- The second connection still reads from the log.
PRAGMA wal_checkpoint(RESTART);
.connection 1
SELECT 'second still sees', count(*) FROM t;
-- Its snapshot is older than the database.
INSERT INTO t VALUES (4);
COMMIT;
SELECT 'second now sees', count(*) FROM t;
BEGIN IMMEDIATE;
INSERT INTO t VALUES (5);
.connection 0
SELECT 'first does not see', count(*) FROM t;
INSERT INTO t VALUES (6);
.connection 1
COMMIT;
.connection 0
INSERT INTO t VALUES (7);
SELECT 'all see', group_concat(a) FROM t;
.connection 1
SELECT 'all see', group_concat(a) FROM t;
.connection close 0
PRAGMA wal_checkpoint(TRUNCATE);
PRAGMA journal_mode = DELETE;
SELECT group_concat(a) FROM t;
PRAGMA integrity_check;
