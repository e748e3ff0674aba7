#!/usr/bin/env python3
"""An independent reader of Twine volumes, written from docs/format.md alone.

    pip install -r reader.txt
    reader.py list VOLUME KEY_HEX
    reader.py extract VOLUME KEY_HEX DIRECTORY
    reader.py selftest            (reads the golden volumes next to this file)

It authenticates every block it reads and fails on the first that does not verify.
"""

import hashlib
import os
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyaegis import Aegis128L

BLOCK = 4096
HOLE = bytes(32)
DATA, NODE, INODES, BITMAP, EPOCHS, HEAD, REST = range(1, 8)
TABLE, LOG, ROOT = 1, 4, 9
FILE, DIRECTORY, LINK = 1, 2, 3


def hkdf(salt, key, info, length):
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)


def decrypt(suite, key, sequence, aad, ciphertext, tag):
    """Section 1: the suites."""
    if suite == 1:
        nonce = struct.pack("<QQ", sequence, 0)
        return bytes(Aegis128L(16).decrypt(key[:16], nonce, ciphertext + tag, aad))
    nonce = struct.pack("<QI", sequence, 0)
    return AESGCM(key).decrypt(nonce, ciphertext + tag, aad)


class Ref:
    """Section 2: a reference."""

    def __init__(self, raw):
        self.hole = raw == HOLE
        self.tag = raw[:16]
        self.sequence, packed = struct.unpack("<QQ", raw[16:])
        self.address, self.kind = packed & (1 << 48) - 1, packed >> 48


class Inode:
    """Section 5: an inode of the table, or (without tree) of a record."""

    def __init__(self, raw):
        self.kind, self.height, self.inlined, zero, self.links, self.size = struct.unpack("<BBBBIQ", raw[:16])
        assert zero == 0
        self.root = raw[64:96] if len(raw) == 256 else HOLE
        self.inline = raw[128:128 + self.size] if self.inlined and len(raw) == 256 else None
        self.changes = {}
        self.cut = None


class Volume:
    def __init__(self, path, key):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.open_superblock(key)
        self.read_epochs()
        self.inodes = {}
        self.replay()

    def raw(self, address):
        block = self.bytes[address * BLOCK:(address + 1) * BLOCK]
        assert len(block) == BLOCK, "the volume was cut"
        return block

    def open_superblock(self, volume_key):
        """Sections 3 and 7, steps 1 and 3."""
        candidates = []
        for slot in (0, 1):
            block = self.raw(slot)
            if block[:8] != b"TWINEFS\x1a":
                continue
            version, suite, log2, uuid = struct.unpack("<IHH16s", block[8:32])
            _, writers, everybody, generation = struct.unpack("<QQQQ", block[32:64])
            assert version == 1 and log2 == 12 and writers == everybody == 0
            if generation % 2 == slot:
                candidates.append((generation, suite, uuid, block))
        for _, suite, uuid, block in sorted(candidates, reverse=True):
            info = b"twine-fs v1 superblock" + uuid + struct.pack("<H", suite)
            key = hkdf(block[64:96], volume_key, info, 32)
            try:
                state = decrypt(suite, key, 0, block[:96], block[112:], block[96:112])
            except Exception:
                continue
            self.suite, self.superblock_tag = suite, block[96:112]
            return self.read_state(state)
        raise SystemExit("no superblock verifies: wrong key, or tampered with")

    def read_state(self, state):
        self.commit, self.previous_root = struct.unpack("<Q32s", state[:40])
        numbers = struct.unpack("<8Q", state[40:104])
        self.next_sequence, self.log_head, first = numbers[0], numbers[5], numbers[6]
        self.epochs = [(first, state[104:136])]
        self.epoch_list = Ref(state[136:168])
        self.table_height = state[176]
        self.table_root = Ref(state[184:216])
        self.table_changes = {}

    def key_for(self, sequence):
        return max((first, key) for first, key in self.epochs if first <= sequence)[1]

    def open_block(self, ref, owner, index, kind, level=0):
        assert ref.kind == kind, "a reference of the wrong kind"
        aad = struct.pack("<QQQBB6x", ref.address, owner, index, kind, level)
        return decrypt(self.suite, self.key_for(ref.sequence), ref.sequence, aad, self.raw(ref.address), ref.tag)

    def read_epochs(self):
        """Section 4."""
        ref, position, older = self.epoch_list, 0, []
        while not ref.hole:
            block = self.open_block(ref, 3, position, EPOCHS)
            (count,) = struct.unpack("<Q", block[32:40])
            for entry in range(count):
                first, _, key = struct.unpack("<QQ32s", block[64 + 48 * entry:112 + 48 * entry])
                older.append((first, key))
            ref, position = Ref(block[:32]), position + 1
        self.epochs += older

    def in_tree(self, owner, leaf, height, root, index):
        """Section 2: finds the reference to block `index` of a tree."""
        ref = root
        if index >= 128 ** height:
            return Ref(HOLE)
        for level in reversed(range(height)):
            if ref.hole:
                return ref
            node = self.open_block(ref, owner, index // 128 ** (level + 1), NODE, level)
            entry = index // 128 ** level % 128
            ref = Ref(node[32 * entry:32 * entry + 32])
        return ref

    def inode(self, ino):
        if ino not in self.inodes:
            ref = self.in_tree(TABLE, INODES, self.table_height, self.table_root, ino // 16)
            block = bytes(BLOCK) if ref.hole else self.open_block(ref, TABLE, ino // 16, INODES)
            self.inodes[ino] = Inode(block[256 * (ino % 16):256 * (ino % 16) + 256])
        return self.inodes[ino]

    def block(self, ino, index):
        inode = self.inode(ino)
        if index in inode.changes:
            ref = inode.changes[index]
        elif inode.cut is not None and index >= inode.cut:
            return bytes(BLOCK)
        else:
            ref = self.in_tree(ino, DATA, inode.height, Ref(inode.root), index)
        return bytes(BLOCK) if ref.hole else self.open_block(ref, ino, index, DATA)

    def contents(self, ino):
        inode = self.inode(ino)
        if inode.inline is not None:
            return inode.inline
        blocks = (self.block(ino, index) for index in range(-(-inode.size // BLOCK)))
        return b"".join(blocks)[:inode.size]

    def replay(self):
        """Sections 6 and 7, steps 5 to 7."""
        root = self.root_of(self.previous_root, self.commit, self.superblock_tag)
        address, commit, waiting = self.log_head, self.commit, None
        while True:
            record = self.record(address, commit + 1, root)
            if record is None:
                break
            if waiting:
                self.apply(waiting[1])
            commit, root, address = commit + 1, self.root_of(root, commit + 1, record[0]), record[2]
            waiting = record
        if waiting and self.complete(waiting[1]):
            self.apply(waiting[1])

    @staticmethod
    def root_of(previous, commit, tag):
        return hashlib.sha256(b"twine-fs v1 root" + previous + struct.pack("<Q", commit) + tag).digest()

    def record(self, address, commit, root):
        block = self.raw(address)
        tag, sequence = struct.unpack("<16sQ", block[:24])
        if sequence < self.next_sequence:
            return None
        aad = struct.pack("<QQQBB6x", address, LOG, commit, HEAD, 0)
        try:
            sealed = decrypt(self.suite, self.key_for(sequence), sequence, aad, block[24:], tag)
        except Exception:
            return None
        number, previous, after, count, zero, length = struct.unpack("<Q32sQHHI", sealed[:56])
        if number != commit or previous != root:
            return None
        operations = sealed[56 + 32 * count:]
        for position in range(count):
            ref = Ref(sealed[56 + 32 * position:88 + 32 * position])
            operations += self.open_block(ref, LOG, commit * 256 + position, REST)
        return tag, operations[:length], after

    def parse(self, operations):
        at = 0
        while at < len(operations):
            code, small, count, _, ino = struct.unpack("<BBHIQ", operations[at:at + 16])
            if code == 1:
                size = -(-small // 8) * 8
                yield code, ino, operations[at + 16:at + 80], operations[at + 80:at + 80 + small]
                at += 80 + size
            elif code == 2:
                yield code, ino, struct.unpack("<Q", operations[at + 16:at + 24])[0], None
                at += 24
            else:
                (first,) = struct.unpack("<Q", operations[at + 16:at + 24])
                refs = [Ref(operations[at + 24 + 32 * n:at + 56 + 32 * n]) for n in range(count)]
                yield code, ino, first, refs
                at += 24 + 32 * count

    def complete(self, operations):
        try:
            for code, ino, first, refs in self.parse(operations):
                if code == 3:
                    for index, ref in enumerate(refs, first):
                        ref.hole or self.open_block(ref, ino, index, DATA)
        except Exception:
            return False
        return True

    def apply(self, operations):
        for code, ino, first, rest in self.parse(operations):
            inode = self.inode(ino)
            if code == 1:
                new = Inode(first)
                inode.kind, inode.size, inode.links = new.kind, new.size, new.links
                inode.inline = rest if new.inlined else None
            elif code == 2:
                inode.cut = first if inode.cut is None else min(first, inode.cut)
                inode.changes = {index: ref for index, ref in inode.changes.items() if index < first}
            else:
                inode.changes.update(enumerate(rest, first))

    def entries(self, ino):
        """Section 5: directories."""
        data = self.contents(ino)
        for start in range(0, len(data), BLOCK):
            at = start
            while at < start + BLOCK:
                child, length, name_length, kind = struct.unpack("<QHBB", data[at:at + 12])
                if length == 0:
                    break
                if child:
                    yield data[at + 12:at + 12 + name_length], child, kind
                at += length

    def walk(self, ino=ROOT, path=b""):
        for name, child, kind in sorted(self.entries(ino)):
            yield path + name, child, kind
            if kind == DIRECTORY:
                yield from self.walk(child, path + name + b"/")


def listing(volume):
    for path, ino, kind in volume.walk():
        inode = volume.inode(ino)
        print(" fdl"[kind], f"{inode.size:>10}", f"{inode.links:>3}", path.decode(errors="replace"))


def extract(volume, target):
    for path, ino, kind in volume.walk():
        place = os.path.join(os.fsencode(target), path)
        if kind == DIRECTORY:
            os.makedirs(place, exist_ok=True)
        elif kind == LINK:
            os.symlink(volume.contents(ino), place)
        else:
            with open(place, "wb") as file:
                file.write(volume.contents(ino))


def pattern(seed, length):
    return bytes((n * 7 + n // 4096 + seed) & 255 for n in range(length))


def selftest():
    block = bytearray(pattern(4096, 4096))
    block[10:33] = b"changed by a checkpoint"
    block[1000:1018] = b"changed by the log"
    block += bytes(5000 - 4096) + b"extended by the log"
    expected = {
        b"docs/block": bytes(block),
        b"docs/leaf": pattern(50000, 45001),
        b"docs/sparse": bytes(70000000) + b"far away",
        b"docs/tiny": pattern(100, 100),
        b"hard": pattern(100, 100),
        b"link": b"docs/tiny",
    }
    for suite in (1, 2):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden", f"v1-suite{suite}.twinefs")
        volume = Volume(path, bytes([0x42]) * 32)
        found = {path: ino for path, ino, kind in volume.walk() if kind != DIRECTORY and not path.startswith(b"many/")}
        assert found.keys() == expected.keys(), (found.keys(), expected.keys())
        for path, ino in found.items():
            assert volume.contents(ino) == expected[path], path
        assert sum(1 for path, _, _ in volume.walk() if path.startswith(b"many/")) == 150
        print(f"suite {suite}: {len(found)} files and links agree")


def main():
    if sys.argv[1:] == ["selftest"]:
        selftest()
    elif len(sys.argv) == 4 and sys.argv[1] == "list":
        listing(Volume(sys.argv[2], bytes.fromhex(sys.argv[3])))
    elif len(sys.argv) == 5 and sys.argv[1] == "extract":
        extract(Volume(sys.argv[2], bytes.fromhex(sys.argv[3])), sys.argv[4])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
