"""Counts words, and keeps texts and counts in /data: what a script does with files, and with a good part of the library."""

import collections, glob, hashlib, json, os, random, re, shutil, stat, sys, tempfile, time, zipfile

DATA = "/data"


def write():
    with open("/given/app.ts") as source:
        words = re.findall(r"\w+", source.read())
    os.makedirs(f"{DATA}/texts/deep", exist_ok=True)
    for index, word in enumerate(sorted(set(words))):
        with open(f"{DATA}/texts/{index:02}.txt", "w", encoding="utf-8") as text:
            print(word, "é" * index, file=text)
    with open(f"{DATA}/counts.partial", "w") as counts:
        json.dump(collections.Counter(words), counts, sort_keys=True)
        counts.flush()
        os.fsync(counts.fileno())
    os.replace(f"{DATA}/counts.partial", f"{DATA}/counts.json")

    # A megabyte, written in pieces, out of order, cut and extended.
    numbers = random.Random(4)
    with open(f"{DATA}/numbers", "w+b") as file:
        for block in numbers.sample(range(256), 256):
            file.seek(block * 4096)
            file.write(numbers.randbytes(4096))
        file.truncate(1_000_000)
        file.seek(0, os.SEEK_END)
        file.write(b"the end")
    os.symlink("numbers", f"{DATA}/link")
    os.link(f"{DATA}/numbers", f"{DATA}/texts/deep/same")
    os.utime(f"{DATA}/numbers", ns=(10**18 + 1, 10**18 + 2))

    with zipfile.ZipFile(f"{DATA}/texts.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(glob.glob(f"{DATA}/texts/*.txt")):
            archive.write(name)
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        shutil.copytree(f"{DATA}/texts", f"{folder}/copy")
        print("copied", sum(len(files) for _, _, files in os.walk(folder)))
    print("written", sorted(os.listdir(DATA)))


def read():
    with open(f"{DATA}/counts.json") as counts:
        print(json.load(counts))
    for name in "numbers", "link", "texts/deep/same":
        with open(f"{DATA}/{name}", "rb") as file:
            print(name, hashlib.sha256(file.read()).hexdigest())
    status = os.stat(f"{DATA}/link")
    print(status.st_size, status.st_nlink, stat.S_ISREG(status.st_mode), status.st_mtime_ns)
    print(os.readlink(f"{DATA}/link"), os.path.samefile(f"{DATA}/link", f"{DATA}/texts/deep/same"))
    with zipfile.ZipFile(f"{DATA}/texts.zip") as archive:
        print(archive.testzip(), archive.namelist())
    complain(lambda: open(f"{DATA}/texts", "w"))
    complain(lambda: open(f"{DATA}/none"))
    complain(lambda: open(f"{DATA}/numbers", "x"))
    complain(lambda: open(f"{DATA}/numbers/none"))
    complain(lambda: os.rmdir(f"{DATA}/texts"))
    complain(lambda: os.mkdir(f"{DATA}/texts"))
    complain(lambda: os.unlink(f"{DATA}/none"))
    complain(lambda: os.rename(f"{DATA}/texts", f"{DATA}/texts/deep/below"))
    shutil.rmtree(f"{DATA}/texts")
    print("left", sorted(os.listdir(DATA)), os.stat(f"{DATA}/numbers").st_nlink)


def complain(action):
    try:
        action()
    except OSError as error:
        print(type(error).__name__, error.errno, error.strerror)


def clocks():
    for name in "realtime", "monotonic", "process_cputime_id", "thread_cputime_id":
        clock = getattr(time, f"CLOCK_{name.upper()}", None)
        if clock is not None:
            complain(lambda: print(name, time.clock_gettime(clock) <= time.clock_gettime(clock)))
    print("process_time", time.process_time() <= time.process_time())


{"write": write, "read": read, "clocks": clocks}[sys.argv[1]]()
