//! SQLite's own speed test: in a protected file, in the memory of the same enclave, and natively on an unprotected file;
//! and what a transaction costs in calls of the host.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use twine::abi::exchange::{Header, HostCall};
use twine::serve::Services;
use twine::{BackendChoice, Capture, Input, Launch, Module, Outcome, Runtime};
use twine_guests::sqlite::Program;

use crate::measure::{Row, Title, Unit, compare};

/// A quarter of the work that the speed test does by itself, with a page cache of 16 MiB in all variants.
const SETTINGS: [&str; 4] = ["--size", "25", "--cachesize", "4096"];

/// Transactions whose calls are counted.
const TRANSACTIONS: u64 = 1000;

pub(crate) fn rows(rounds: usize) -> Result<Vec<Row>> {
    let bench = Bench::new()?;
    // A run takes seconds.
    let rounds = (rounds / 10).max(3);
    let title = |name, against| Title {
        name,
        against,
        unit: Unit::Milliseconds,
    };
    Ok(vec![
        compare(
            title("sqlite/speedtest1/volume", "in memory, same enclave"),
            rounds,
            1,
            || bench.on_volume(),
            || bench.in_memory(),
        )?,
        compare(
            title("sqlite/speedtest1/volume", "native, unprotected file"),
            rounds,
            1,
            || bench.on_volume(),
            || bench.native("test.db"),
        )?,
        compare(
            title("sqlite/speedtest1/memory", "native, in memory"),
            rounds,
            1,
            || bench.in_memory(),
            || bench.native(":memory:"),
        )?,
    ])
}

/// Counts the calls that a transaction of one row makes to the host, for both file system layers.
pub(crate) fn calls() -> Result<String> {
    let bench = Bench::new()?;
    let layers = [
        ("volume", ""),
        ("volume", "PRAGMA journal_mode = WAL;"),
        ("unix", ""),
    ];
    let mut text = String::from(
        "sqlite: host calls for a transaction of one row (of them: to write, to flush)\n",
    );
    for (vfs, mode) in layers {
        let few = bench.count(vfs, mode, 0)?;
        let many = bench.count(vfs, mode, TRANSACTIONS)?;
        let each = |few: u64, many: u64| many.saturating_sub(few) as f64 / TRANSACTIONS as f64;
        text += &format!(
            "  {vfs:8} {:>6.2} ({:.2}, {:.2})  {mode}\n",
            each(few.all, many.all),
            each(few.writes, many.writes),
            each(few.flushes, many.flushes)
        );
    }
    Ok(text)
}

struct Bench {
    runtime: Runtime,
    shell: Module,
    speedtest1: Module,
    native: PathBuf,
}

impl Bench {
    fn new() -> Result<Self> {
        let runtime = Runtime::builder()
            .backend(BackendChoice::Emulator)
            .build()?;
        Ok(Self {
            shell: runtime.load(Program::Shell.module()?)?,
            speedtest1: runtime.load(Program::Speedtest1.module()?)?,
            native: Program::Speedtest1.native()?,
            runtime,
        })
    }

    fn on_volume(&self) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let launch = self.mount(&self.speedtest1, &folder)?;
        let launch = launch.args(SETTINGS).args(["--vfs", "volume", "test.db"]);
        finish(launch)
    }

    fn in_memory(&self) -> Result<()> {
        // The same launch, with a volume that is not used: only SQLite's work differs.
        let folder = tempfile::tempdir()?;
        let launch = self.mount(&self.speedtest1, &folder)?;
        finish(launch.args(SETTINGS).arg(":memory:"))
    }

    fn native(&self, file: &str) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let output = Command::new(&self.native)
            .args(SETTINGS)
            // Without the locks that nobody needs: native at its best.
            .args(["--exclusive", file])
            .current_dir(folder.path())
            .output()?;
        ensure!(output.status.success(), "speedtest1: {output:?}");
        Ok(())
    }

    fn mount<'a>(&'a self, module: &'a Module, folder: &TempDir) -> Result<Launch<'a>> {
        let launch = Launch::new(&self.runtime, module);
        Ok(launch
            .volume("/", folder.path().join("bench.tv"))
            .create_volumes()?)
    }

    fn count(&self, vfs: &str, mode: &str, transactions: u64) -> Result<Calls> {
        let folder = tempfile::tempdir()?;
        let calls = Rc::new(Cell::new(Calls::default()));
        let counter = Rc::clone(&calls);
        let mut script = format!("{mode}\n");
        for n in 0..transactions {
            script += &format!("UPDATE t SET b = {n} WHERE a = 0;\n");
        }
        let launch = self.mount(&self.shell, &folder)?;
        let launch = launch.args(["-batch", "-vfs", vfs, "test.db", ".read /script.sql"]);
        let launch = launch.services(|honest| {
            Box::new(Counted {
                honest,
                calls: counter,
            })
        });
        self.put(&folder, &script)?;
        finish(launch)?;
        Ok(calls.get())
    }

    /// Puts the script into the volume, so that reading it does not count as calls for input, and makes the database:
    /// the first transaction of a new one is another matter.
    fn put(&self, folder: &TempDir, script: &str) -> Result<()> {
        let launch = self.mount(&self.shell, folder)?;
        let quoted = script.replace('\'', "''");
        let sql = format!(
            "CREATE TABLE t(a INTEGER PRIMARY KEY, b);\nINSERT INTO t VALUES (0, 0);\n\
             SELECT writefile('/script.sql', '{quoted}');\n"
        );
        finish(launch.args(["-batch", "test.db"]).stdin(Input::bytes(sql)))
    }
}

fn finish(launch: Launch<'_>) -> Result<()> {
    let (output, errors) = (Capture::default(), Capture::default());
    let outcome = launch.stdout(&output).stderr(&errors).run()?;
    ensure!(
        outcome == Outcome::Exited { code: 0 },
        "{outcome:?}: {}",
        String::from_utf8_lossy(&errors.take())
    );
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Calls {
    all: u64,
    writes: u64,
    flushes: u64,
}

struct Counted {
    honest: Box<dyn Services>,
    calls: Rc<Cell<Calls>>,
}

impl Services for Counted {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        let mut calls = self.calls.get();
        calls.all += 1;
        if header.op == HostCall::StoreWrite as u32 {
            let [_, _, durable, ..] = header.args;
            calls.writes += 1;
            calls.flushes += durable;
        }
        self.calls.set(calls);
        self.honest.serve(header, payload)
    }
}
