-- What SQLite can do, once through: the shell in an enclave and the native one must print the same.
-- Files are named relative to the current directory, which is the volume's root for the one and a folder for the other.
.bail off
.headers on
.print == types and conversions
CREATE TABLE types(id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, n NUMERIC, any);
INSERT INTO types(i, r, t, b, n, any) VALUES
  (1, 1.5, 'one', x'00ff10', '12.50', NULL),
  (-9223372036854775808, -0.0, '', x'', '0x10', 'text'),
  (9223372036854775807, 1e308, 'Grüße, 世界 🌍', zeroblob(5), '1e3', 2.5),
  ('17', '2.25', 3.5, 'blob', 'abc', 9007199254740993);
SELECT id, typeof(i), typeof(r), typeof(t), typeof(b), typeof(n), typeof(any) FROM types;
SELECT i, r, t, hex(b), n, any FROM types;
SELECT length(t), upper(t), substr(t, 2, 3), instr(t, 'e'), unicode(t), quote(b) FROM types;
SELECT CAST('12abc' AS INTEGER), CAST(1.9 AS INTEGER), CAST(x'4142' AS TEXT), 7 / 2, 7 % 3, -7 / 2, 7.0 / 2, 1 << 62, ~5;
SELECT printf('%08.3f|%-6s|%+d|%x|%e|%,d', 3.14159, 'ab', 5, 255, 12345.678, 1234567), round(2.567, 2), abs(-3);
SELECT sqrt(2), pow(2, 0.5), sin(1), exp(1), ln(10), log2(8), ceil(1.2), floor(-1.2), trunc(1.9), mod(7, 3), atan2(1, 2), pi();
SELECT 0.1 + 0.2, 1e15 + 0.3, 123456789012345678, 1.0e-10, 9.87654321e20, 1/0, NULL + 1;
SELECT date('2024-02-29', '+1 year'), julianday('2000-01-01 12:00'), strftime('%Y-%W %j %H:%M:%f', '2023-07-04 05:06:07.891'), unixepoch('1999-12-31 23:59:59'), timediff('2024-03-01', '2023-01-31');
SELECT 'abc' LIKE 'A%', 'abc' GLOB 'a*', 'a' < 'B', 'a' < 'B' COLLATE NOCASE, 5 BETWEEN 1 AND 9, 3 IN (1, 2), NULL IS NULL, iif(1, 'y', 'n'), coalesce(NULL, 4), nullif(1, 1);

.print == constraints
CREATE TABLE parents(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL CHECK (length(name) > 1));
CREATE TABLE children(id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents ON DELETE CASCADE ON UPDATE SET NULL, age INT DEFAULT 7, label TEXT GENERATED ALWAYS AS (parent || '/' || age) STORED);
PRAGMA foreign_keys = ON;
INSERT INTO parents VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cyd');
INSERT INTO parents VALUES (4, 'Ada');
INSERT INTO parents VALUES (4, 'x');
INSERT INTO children(parent) VALUES (9);
INSERT INTO children(parent, age) VALUES (1, 10), (1, 12), (2, 3), (3, 4);
INSERT INTO parents VALUES (2, 'Bea') ON CONFLICT(id) DO UPDATE SET name = excluded.name RETURNING *;
DELETE FROM parents WHERE id = 1 RETURNING name;
SELECT * FROM children ORDER BY id;
CREATE TABLE strictly(a INT, b TEXT) STRICT;
INSERT INTO strictly VALUES ('no number', 'b');
CREATE TABLE without_rowid(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO without_rowid VALUES ('b', 2), ('a', 1), ('c', 3);
REPLACE INTO without_rowid VALUES ('b', 22);
SELECT group_concat(k || v) FROM without_rowid;

.print == joins, subqueries, aggregates
CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT, team INT, points INT);
INSERT INTO people VALUES (1,'a',1,10),(2,'b',1,20),(3,'c',2,30),(4,'d',2,5),(5,'e',NULL,50),(6,'f',3,20);
CREATE TABLE teams(id INTEGER PRIMARY KEY, title TEXT);
INSERT INTO teams VALUES (1,'red'),(2,'blue'),(4,'none');
SELECT p.name, t.title FROM people p JOIN teams t ON p.team = t.id ORDER BY 1;
SELECT p.name, t.title FROM people p LEFT JOIN teams t ON p.team = t.id ORDER BY 1;
SELECT p.name, t.title FROM people p RIGHT JOIN teams t ON p.team = t.id ORDER BY 1, 2;
SELECT p.name, t.title FROM people p FULL JOIN teams t ON p.team = t.id ORDER BY 1, 2;
SELECT count(*) FROM people CROSS JOIN teams;
SELECT team, count(*), sum(points), avg(points), min(name), max(name), total(points), group_concat(name, '-') FROM people GROUP BY team HAVING count(*) > 0 ORDER BY team NULLS LAST;
SELECT name FROM people p WHERE points > (SELECT avg(points) FROM people q WHERE q.team IS p.team) ORDER BY name;
SELECT name FROM people WHERE EXISTS (SELECT 1 FROM teams WHERE teams.id = people.team) EXCEPT SELECT 'a' UNION SELECT 'z' ORDER BY 1 DESC;
SELECT count(*) FILTER (WHERE points > 15), string_agg(name, ',' ORDER BY points DESC, name) FROM people;
SELECT DISTINCT points FROM people ORDER BY points DESC LIMIT 3 OFFSET 1;

.print == common table expressions and windows
WITH RECURSIVE fib(n, a, b) AS (VALUES (1, 0, 1) UNION ALL SELECT n + 1, b, a + b FROM fib WHERE n < 20) SELECT max(a), group_concat(a) FROM fib;
WITH RECURSIVE primes(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM primes WHERE n < 60) SELECT group_concat(n, ' ') FROM primes p WHERE NOT EXISTS (SELECT 1 FROM primes q WHERE q.n < p.n AND p.n % q.n = 0);
SELECT name, points, rank() OVER w, dense_rank() OVER w, row_number() OVER (ORDER BY points, name), ntile(2) OVER (ORDER BY id), lag(name, 1, '-') OVER (ORDER BY id), lead(points) OVER (PARTITION BY team ORDER BY id), first_value(name) OVER w, sum(points) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM people WINDOW w AS (ORDER BY points DESC) ORDER BY id;
SELECT id, sum(points) OVER (ORDER BY points RANGE BETWEEN 10 PRECEDING AND CURRENT ROW EXCLUDE TIES), percent_rank() OVER (ORDER BY points), cume_dist() OVER (ORDER BY points), nth_value(id, 2) OVER (ORDER BY id GROUPS UNBOUNDED PRECEDING) FROM people ORDER BY id;

.print == JSON
CREATE TABLE documents(doc);
INSERT INTO documents VALUES ('{"name":"widget","tags":["a","b"],"size":{"w":3,"h":4.5},"ok":true,"none":null}'), (jsonb('{"name":"gadget","tags":[],"size":{"w":1}}'));
SELECT doc ->> '$.name', doc -> '$.tags', json_extract(doc, '$.size.w', '$.size.h'), json_type(doc, '$.ok'), json_array_length(doc, '$.tags') FROM documents;
SELECT json_set(doc, '$.size.d', 9), json_remove(doc, '$.tags', '$.size'), json_patch(doc, '{"ok":null,"more":[1,{"x":2}]}') FROM documents;
SELECT key, value, type, fullkey FROM documents, json_tree(doc) WHERE json_extract(doc, '$.name') = 'widget' ORDER BY id;
SELECT json_group_array(name), json_group_object(name, points) FROM people;
SELECT json_valid('{"a":1'), json_quote('a"b'), json('[1, 2.0,"\u00e9"]'), json_error_position('[1,,2]'), json_pretty('{"a":[1]}');

.print == full text search
CREATE VIRTUAL TABLE notes USING fts5(title, body, tokenize = 'porter unicode61');
INSERT INTO notes VALUES ('Enclaves', 'An enclave is a protected region of memory'), ('Databases', 'SQLite stores a database in a single file'), ('Both', 'Databases running in protected enclaves keep their files encrypted');
SELECT title, highlight(notes, 1, '[', ']'), snippet(notes, 1, '<', '>', '...', 4) FROM notes WHERE notes MATCH 'enclave' ORDER BY rank, title;
SELECT title, round(bm25(notes), 4) FROM notes WHERE notes MATCH 'database OR prot*' ORDER BY title;
SELECT title FROM notes WHERE notes MATCH 'NEAR(single file)' OR notes MATCH 'title:both';
INSERT INTO notes(notes) VALUES ('optimize'), ('integrity-check');
DELETE FROM notes WHERE title = 'Both';
SELECT count(*) FROM notes WHERE notes MATCH 'encrypted';

.print == R-tree
CREATE VIRTUAL TABLE boxes USING rtree(id, minx, maxx, miny, maxy, +label);
INSERT INTO boxes WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, i % 37, i % 37 + 2, i % 23, i % 23 + 1.5, 'box ' || i FROM n;
SELECT count(*), min(id), max(id) FROM boxes WHERE minx >= 10 AND maxx <= 15 AND miny > 3 AND maxy < 9;
SELECT label FROM boxes WHERE id BETWEEN 70 AND 73;
SELECT rtreecheck('boxes');

.print == triggers and views
CREATE TABLE journal(entry INTEGER PRIMARY KEY, what TEXT);
CREATE TRIGGER scored AFTER UPDATE OF points ON people WHEN new.points > old.points BEGIN INSERT INTO journal(what) VALUES (new.name || ': ' || old.points || ' to ' || new.points); END;
CREATE TRIGGER kept BEFORE DELETE ON people BEGIN SELECT RAISE(ABORT, 'nobody leaves') WHERE old.points > 20; END;
CREATE VIEW ranking(name, points) AS SELECT name, points FROM people ORDER BY points DESC, name;
CREATE TRIGGER by_view INSTEAD OF INSERT ON ranking BEGIN INSERT INTO people(name, points) VALUES (new.name, new.points); END;
UPDATE people SET points = points + 7 WHERE team = 2;
DELETE FROM people WHERE name = 'c';
DELETE FROM people WHERE name = 'd' RETURNING id;
INSERT INTO ranking VALUES ('by view', 99);
SELECT * FROM ranking;
SELECT * FROM journal;
UPDATE people SET points = t.id FROM teams t WHERE t.id = people.team RETURNING name, points;

.print == indexes and plans
CREATE TABLE numbers(n INTEGER, square INTEGER, word TEXT);
INSERT INTO numbers WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i, i * i, printf('%05d', (i * 7919) % 3001) FROM n;
CREATE INDEX by_word ON numbers(word);
CREATE UNIQUE INDEX by_square ON numbers(square) WHERE n % 2 = 0;
CREATE INDEX by_expression ON numbers(length(word), n % 10);
ANALYZE;
EXPLAIN QUERY PLAN SELECT n FROM numbers WHERE word = '00042';
SELECT n FROM numbers WHERE word = '00042';
SELECT count(*) FROM numbers WHERE length(word) = 5 AND n % 10 = 3;
SELECT sum(square) FROM numbers WHERE word BETWEEN '00100' AND '00200';
DROP INDEX by_word;
REINDEX;
ALTER TABLE numbers ADD COLUMN extra DEFAULT 'x';
ALTER TABLE numbers RENAME COLUMN word TO term;
ALTER TABLE numbers DROP COLUMN extra;
ALTER TABLE numbers RENAME TO figures;
SELECT sql FROM sqlite_schema WHERE name IN ('figures', 'by_expression');

.print == transactions and savepoints
BEGIN;
INSERT INTO journal(what) VALUES ('first');
SAVEPOINT inner_one;
DELETE FROM journal;
SELECT count(*) FROM journal;
ROLLBACK TO inner_one;
SAVEPOINT inner_two;
INSERT INTO journal(what) VALUES ('second');
RELEASE inner_two;
RELEASE inner_one;
COMMIT;
BEGIN IMMEDIATE;
UPDATE figures SET square = -square;
SELECT sum(square) FROM figures;
ROLLBACK;
SELECT sum(square) FROM figures;
SELECT count(*) FROM journal;
INSERT OR ROLLBACK INTO parents VALUES (2, 'again');
INSERT OR IGNORE INTO parents VALUES (2, 'again');
SELECT changes(), last_insert_rowid(), total_changes() > 0;

.print == several databases
ATTACH 'second.db' AS second;
CREATE TABLE second.copy AS SELECT * FROM people;
BEGIN;
INSERT INTO second.copy(name, points) VALUES ('both', 1);
INSERT INTO people(name, points) VALUES ('both', 1);
COMMIT;
BEGIN;
DELETE FROM second.copy;
DELETE FROM people;
ROLLBACK;
SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM second.copy);
PRAGMA second.integrity_check;
DETACH second;
ATTACH 'second.db' AS again;
SELECT count(*), sum(points) FROM again.copy;
DETACH again;
CREATE TEMP TABLE passing AS SELECT n, square FROM figures ORDER BY square DESC LIMIT 5;
SELECT * FROM temp.passing;

.print == journal modes
PRAGMA journal_mode = TRUNCATE;
INSERT INTO journal(what) VALUES ('truncate');
PRAGMA journal_mode = PERSIST;
INSERT INTO journal(what) VALUES ('persist');
PRAGMA journal_mode = MEMORY;
INSERT INTO journal(what) VALUES ('memory');
PRAGMA journal_mode = OFF;
INSERT INTO journal(what) VALUES ('off');
PRAGMA journal_mode = DELETE;
INSERT INTO journal(what) VALUES ('delete');
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
INSERT INTO journal(what) VALUES ('wal');
BEGIN;
UPDATE figures SET n = n + 1;
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
PRAGMA synchronous = EXTRA;
INSERT INTO journal(what) VALUES ('extra');
PRAGMA journal_mode = DELETE;
PRAGMA locking_mode = NORMAL;
SELECT group_concat(what, '|') FROM (SELECT what FROM journal ORDER BY entry);
-- More than the page cache holds: pages are written before the transaction ends.
PRAGMA cache_size = 10;
BEGIN;
CREATE TABLE large AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, hex(zeroblob(400)) AS filler FROM n;
ROLLBACK;
BEGIN;
CREATE TABLE large AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, hex(zeroblob(400)) AS filler FROM n;
COMMIT;
SELECT count(*), sum(i), sum(length(filler)) FROM large;
SELECT i FROM large ORDER BY i * 7919 % 2003 LIMIT 5;

.print == upkeep
DELETE FROM large WHERE i % 2;
PRAGMA freelist_count;
VACUUM;
PRAGMA freelist_count;
PRAGMA page_size;
PRAGMA user_version = 42;
PRAGMA user_version;
PRAGMA auto_vacuum = INCREMENTAL;
VACUUM;
DELETE FROM large;
PRAGMA incremental_vacuum(10);
PRAGMA page_size = 8192;
VACUUM;
PRAGMA page_size;
PRAGMA integrity_check;
PRAGMA foreign_key_check;
PRAGMA optimize;
VACUUM INTO 'vacuumed.db';
.backup backup.db
INSERT INTO journal(what) VALUES ('after the backup');
ATTACH 'vacuumed.db' AS v;
ATTACH 'backup.db' AS b;
SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM v.journal), (SELECT count(*) FROM b.journal);
PRAGMA v.integrity_check;
PRAGMA b.integrity_check;
DETACH v;
DETACH b;
.restore backup.db
SELECT count(*) FROM journal;
SELECT name, count(*) > 0 FROM dbstat WHERE aggregate = TRUE GROUP BY name ORDER BY name LIMIT 5;

-- Strings: comparing, measuring and searching them at every length around a vector's, with the difference at every place.
.print == strings
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 40),
  pair(len, at, a, b) AS (
    SELECT len.i, at.i, substr(hex(zeroblob(32)), 1, len.i),
      substr(hex(zeroblob(32)), 1, at.i) || char(49 + at.i * 5 % 200) || substr(hex(zeroblob(32)), at.i + 2, len.i - at.i - 1)
    FROM n AS len, n AS at WHERE at.i < len.i)
SELECT count(*), sum(a < b), sum(a = b), sum(CAST(a AS BLOB) > CAST(b AS BLOB)), sum(length(b)),
  sum((1 + at) * (b LIKE '%' || substr(b, at + 1, 1) || '%0')), sum((1 + at) * instr(b, substr(b, at + 1))),
  sum((1 + at) * (b GLOB '*' || substr(b, at + 1, 1) || '*')), sum((1 + len) * (substr(a, at + 2) = substr(b, at + 2)))
FROM pair;

.print == the shell
.mode box
SELECT * FROM teams;
.mode json
SELECT id, name, points FROM people LIMIT 2;
.mode csv
SELECT * FROM teams;
.mode markdown
SELECT name, points FROM people LIMIT 2;
.mode insert teams
SELECT * FROM teams;
.mode list
.tables
.schema ranking
.dump teams
.once out.txt
SELECT 'into a file', count(*) FROM figures;
.import --csv out.txt imported
SELECT * FROM imported;
SELECT writefile('blob.bin', x'0001feff'), hex(readfile('blob.bin'));
.parameter set $limit 2
SELECT id FROM teams LIMIT $limit;
.sha3sum
.read missing.sql
SELECT no_such_column FROM teams;
SELEC 1;
.save saved.db
.open saved.db
SELECT count(*) FROM figures;
PRAGMA integrity_check;
