#!/usr/bin/env python3
"""Records what SQLite asks of its file system while it changes a database, one file for each journal mode.

    pip install apsw==3.54.1.0
    record.py FOLDER [TRANSACTIONS]

The database has 150 MiB, 4 KiB pages and a secondary index. Each transaction changes one row and with it one page of the
table, one of the index, and the database's first. A trace holds no contents, only what was done where:

    operation   one byte: 16 * file + number; files: 0 database, 1 rollback journal, 2 write-ahead log
                1 write (offset, length), 2 sync, 3 truncate (length), 4 delete, 5 create, 6 end of a transaction
    numbers     LEB128

The first number is the database's length in bytes when the recording begins. Writes that follow each other without a
gap are one.
"""

import os
import random
import sys
import tempfile

import apsw

ROWS = 700_000
WRITE, SYNC, TRUNCATE, DELETE, CREATE, END = range(1, 7)
FILES = {"": 0, "-journal": 1, "-wal": 2}
MODES = ["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL"]


class Trace:
    """What happened since recording began, as bytes."""

    def __init__(self):
        self.bytes = bytearray()
        self.pending = None
        self.on = False

    def number(self, value):
        while value > 127:
            self.bytes.append(value & 127 | 128)
            value >>= 7
        self.bytes.append(value)

    def flush(self):
        if self.pending:
            (file, offset, length), self.pending = self.pending, None
            self.put(file, WRITE, offset, length)

    def put(self, file, operation, *numbers):
        self.bytes.append(file << 4 | operation)
        for number in numbers:
            self.number(number)

    def add(self, file, operation, *numbers):
        if self.on:
            self.flush()
            self.put(file, operation, *numbers)

    def write(self, file, offset, length):
        if not self.on:
            return
        if self.pending and self.pending[0] == file and sum(self.pending[1:]) == offset:
            self.pending = (file, self.pending[1], self.pending[2] + length)
        else:
            self.flush()
            self.pending = (file, offset, length)


class Recorder(apsw.VFS):
    """SQLite's own file system for Unix, with a witness."""

    def __init__(self, database, trace):
        self.trace, self.files = trace, {database + suffix: file for suffix, file in FILES.items()}
        super().__init__("recorder", "")

    def xOpen(self, name, flags):
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        file = self.files[path]
        if not os.path.exists(path):
            self.trace.add(file, CREATE)
        return RecordedFile(name, flags, file, self.trace)

    def xDelete(self, name, sync):
        self.trace.add(self.files[name], DELETE)
        super().xDelete(name, sync)


class RecordedFile(apsw.VFSFile):
    def __init__(self, name, flags, file, trace):
        self.file, self.trace = file, trace
        super().__init__("", name, flags)

    def xWrite(self, data, offset):
        self.trace.write(self.file, offset, len(data))
        super().xWrite(data, offset)

    def xSync(self, flags):
        self.trace.add(self.file, SYNC)
        super().xSync(flags)

    def xTruncate(self, size):
        self.trace.add(self.file, TRUNCATE, size)
        super().xTruncate(size)


def fill(path):
    connection = apsw.Connection(path)
    connection.execute("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
    connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER, note BLOB)")
    balances = list(range(0, 1000 * ROWS, 1000))
    random.Random(1).shuffle(balances)
    with connection:
        rows = ((balance,) for balance in balances)
        connection.executemany("INSERT INTO account(balance, note) VALUES(?, randomblob(190))", rows)
        connection.execute("CREATE INDEX by_balance ON account(balance)")
    connection.close()


def record(path, mode, transactions):
    trace = Trace()
    vfs = Recorder(path, trace)
    connection = apsw.Connection(path, vfs=vfs.name if hasattr(vfs, "name") else "recorder")
    if mode == "WAL":
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute(f"PRAGMA journal_mode={mode}; PRAGMA synchronous=FULL")
    trace.on = True
    trace.number(os.path.getsize(path))
    choose = random.Random(2)
    for _ in range(transactions):
        row = choose.randrange(ROWS) + 1
        connection.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (row,))
        trace.add(0, END)
    trace.on = False
    connection.close()
    vfs.unregister()
    return trace.bytes


def main():
    folder, transactions = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(os.path.realpath(work), "database")
        fill(path)
        for mode in MODES:
            with open(os.path.join(folder, mode.lower() + ".trace"), "wb") as out:
                out.write(record(path, mode, transactions))


main()
