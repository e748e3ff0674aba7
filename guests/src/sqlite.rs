//! SQLite: its shell, its speed test and the paper's micro-benchmark, as WASI modules and, from the same sources with the
//! same flags, as programs of this machine to compare with.
//!
//! ```text
//!   sqlite3-src (crates.io): sqlite3.c, shell.c ──┐
//!   sqlite3 (Debian's sources): speedtest1.c ─────┼──► target/tools/sqlite_shell-…, sqlite_speedtest1-…, sqlite_records-…
//!   guests/sqlite/*.c ────────────────────────────┘
//! ```
//!
//! `docs/sqlite.md` tells what the flags are for.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Error;
use crate::build::{native_c, run, zig};
use crate::sections::without_debug;
use crate::sources::{Crate, DebianSource};
use crate::tools::{ZIGLANG, fetch_once, short_hash, tools};

/// The version of SQLite.
pub const VERSION: &str = "3.49.1";

/// A program around SQLite.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Program {
    /// The command-line shell, `sqlite3`.
    Shell,
    /// The speed test that SQLite's authors watch their own work with.
    Speedtest1,
    /// The micro-benchmark of the paper: records inserted, read in their order, and read at random.
    Records,
}

/// What a program is compiled for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Target {
    Wasi,
    Native,
    /// This machine, by the compiler that compiles for WASI.
    NativeClang,
}

/// Library and shell.
const AMALGAMATION: Crate = Crate {
    folder: "sqlite3-src-0.7.1",
    manifest: include_str!("../requirements/sqlite3-src.toml"),
    lock: include_str!("../requirements/sqlite3-src.lock"),
};

/// The speed test uses nothing but the library's public interface, so it may be of another version.
const SPEEDTEST1: DebianSource = DebianSource {
    name: "sqlite3",
    archive: "sqlite3_3.40.1.orig.tar.xz",
    sha256: "aaa776260ab4dc976db34aa7891819484c8676b5b2783123ebc6301e2ca5d655",
    member: "sqlite3-3.40.1/test/speedtest1.c",
};

/// The VFS for protected volumes.
const VFS: [&str; 3] = [
    include_str!("../sqlite/volume_vfs.c"),
    include_str!("../sqlite/wal_index.c"),
    include_str!("../sqlite/wal_index.h"),
];

/// Where its sources are.
const VFS_FILES: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/volume_vfs.c"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/wal_index.c"),
];

/// What the modules have in the place of the C library's: faster string functions, and a heap.
const INSTEAD: [&str; 2] = [
    include_str!("../sqlite/strings.c"),
    include_str!("../sqlite/heap.c"),
];

/// Where it is.
const INSTEAD_FILES: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/strings.c"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/heap.c"),
];

/// The micro-benchmark.
const RECORDS: &str = include_str!("../sqlite/records.c");

/// Flags for every file and target.
const FLAGS: [&str; 18] = [
    "-std=gnu17",
    "-O3",
    "-w",
    "-DNDEBUG",
    // Contraction to fused multiply-add would make the two targets round differently.
    "-ffp-contract=off",
    "-DSQLITE_THREADSAFE=0",
    "-DSQLITE_DEFAULT_MEMSTATUS=0",
    // EXTRA: the removal of a rollback journal is the commit, so it has to be durable as well.
    "-DSQLITE_DEFAULT_SYNCHRONOUS=3",
    "-DSQLITE_DQS=0",
    "-DSQLITE_MAX_MMAP_SIZE=0",
    "-DSQLITE_OMIT_LOAD_EXTENSION",
    "-DSQLITE_NOHAVE_SYSTEM",
    "-DSQLITE_ENABLE_BATCH_ATOMIC_WRITE",
    "-DSQLITE_ENABLE_DBPAGE_VTAB",
    "-DSQLITE_ENABLE_DBSTAT_VTAB",
    "-DSQLITE_ENABLE_FTS5",
    "-DSQLITE_ENABLE_MATH_FUNCTIONS",
    "-DSQLITE_ENABLE_RTREE",
];

/// Flags for WASI: what its C library only emulates has to be asked for.
const WASI_FLAGS: [&str; 8] = [
    "-target",
    "wasm32-wasi",
    "-DSQLITE_WASI",
    // SQLite's choice for WASI makes a directory for each lock.
    "-DSQLITE_DEFAULT_UNIX_VFS=\"unix\"",
    "-D_WASI_EMULATED_GETPID",
    "-D_WASI_EMULATED_PROCESS_CLOCKS",
    "-D_WASI_EMULATED_SIGNAL",
    "-Wl,-z,stack-size=1048576",
];

/// Flags for this machine's system, but any processor.
const CLANG_FLAGS: [&str; 2] = ["-target", "x86_64-linux-gnu"];

/// Libraries for WASI.
const WASI_LIBRARIES: [&str; 3] = [
    "-lwasi-emulated-getpid",
    "-lwasi-emulated-process-clocks",
    "-lwasi-emulated-signal",
];

impl Program {
    /// Every program.
    pub const ALL: [Self; 3] = [Self::Shell, Self::Speedtest1, Self::Records];

    /// The name it goes by among the guests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shell => "sqlite_shell",
            Self::Speedtest1 => "sqlite_speedtest1",
            Self::Records => "sqlite_records",
        }
    }

    /// Builds the program as a WASI module, unless that has been done, and returns the file.
    ///
    /// # Errors
    /// [`Error::MissingTool`] if a compiler, or a tool that fetches the sources, is missing; others if one fails.
    pub fn module(self) -> Result<PathBuf, Error> {
        self.build(Target::Wasi)
    }

    /// Builds the program for this machine, unless that has been done, and returns the file.
    ///
    /// # Errors
    /// As for [`Program::module`].
    pub fn native(self) -> Result<PathBuf, Error> {
        self.build(Target::Native)
    }

    /// As [`Program::native`], by the compiler that also compiles for WASI.
    ///
    /// # Errors
    /// As for [`Program::module`].
    pub fn native_clang(self) -> Result<PathBuf, Error> {
        self.build(Target::NativeClang)
    }

    fn build(self, target: Target) -> Result<PathBuf, Error> {
        let own = match self {
            Self::Records => RECORDS,
            Self::Shell | Self::Speedtest1 => SPEEDTEST1.sha256,
        };
        let folder = target.folder(self.name(), &[&VFS.concat(), &INSTEAD.concat(), own]);
        fetch_once(&folder, |folder| {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
            let library = library(target)?;
            let headers = AMALGAMATION.unpack()?.join("source");
            let partial = folder.join(target.file_of(self.name()));
            let mut command = target.compiler()?;
            command.arg("-I").arg(&headers).arg(self.source()?);
            command.args(VFS_FILES).arg(library).arg("-o").arg(&partial);
            target.link(&mut command);
            run(&format!("compiling {}", self.name()), command)?;
            if target == Target::Wasi {
                let module = fs::read(&partial).map_err(Error::io(&partial))?;
                fs::write(&partial, without_debug(&module)).map_err(Error::io(&partial))?;
            }
            Ok(())
        })?;
        Ok(folder.join(target.file_of(self.name())))
    }

    fn source(self) -> Result<PathBuf, Error> {
        match self {
            Self::Shell => Ok(AMALGAMATION.unpack()?.join("source/shell.c")),
            Self::Speedtest1 => SPEEDTEST1.file(),
            Self::Records => Ok(concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/records.c").into()),
        }
    }
}

/// The library, as an object file: most of the work, and the same for every program.
fn library(target: Target) -> Result<PathBuf, Error> {
    let folder = target.folder("sqlite_library", &[]);
    fetch_once(&folder, |folder| {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let source = AMALGAMATION.unpack()?.join("source/sqlite3.c");
        let mut command = target.compiler()?;
        command.arg("-DSQLITE_EXTRA_INIT=register_volume_vfs");
        command.arg("-c").arg(source);
        command.arg("-o").arg(folder.join("library.o"));
        run("compiling SQLite", command)
    })?;
    Ok(folder.join("library.o"))
}

impl Target {
    /// Where something built for it belongs: named by everything that goes in.
    fn folder(self, what: &str, parts: &[&str]) -> PathBuf {
        let flags = [FLAGS.concat(), WASI_FLAGS.concat()].concat();
        let all = [parts, &[AMALGAMATION.lock, ZIGLANG.pin, &flags]].concat();
        let hash = short_hash(&[all.concat().as_bytes()]);
        let suffix = match self {
            Self::Wasi => "wasi",
            Self::Native => "native",
            Self::NativeClang => "clang",
        };
        tools().join(format!("{what}-{suffix}-{hash}"))
    }

    fn file_of(self, program: &str) -> String {
        match self {
            Self::Wasi => format!("{program}.wasm"),
            Self::Native | Self::NativeClang => program.to_owned(),
        }
    }

    fn compiler(self) -> Result<Command, Error> {
        match self {
            Self::Wasi => {
                let mut command = zig("cc", &FLAGS)?;
                command.args(WASI_FLAGS);
                Ok(command)
            }
            Self::Native => native_c("cc", "cc", &FLAGS),
            Self::NativeClang => {
                let mut command = zig("cc", &FLAGS)?;
                command.args(CLANG_FLAGS);
                Ok(command)
            }
        }
    }

    fn link(self, command: &mut Command) {
        match self {
            Self::Wasi => command.args(INSTEAD_FILES).args(WASI_LIBRARIES),
            Self::Native | Self::NativeClang => command.arg("-lm"),
        };
    }
}
