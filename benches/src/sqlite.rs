//! SQLite's own speed test: in memory and in files, in an enclave and natively; and what a transaction costs in calls of the
//! host.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use twine::abi::exchange::HostCall;
use twine::{Input, Launch, Module, Runtime};
use twine_guests::sqlite::Program;

use crate::contest::{Contest, Row, Subject};
use crate::enclave::{self, HARDWARE, Watch};
use crate::peers;

/// Pages of 4 KiB in the page cache of all variants: 16 MiB.
const CACHE_PAGES: &str = "4096";

/// Most bytes of temporary files beside a database in memory.
const TEMPORARY_LEN_MAX: u64 = 256 << 20;

/// Transactions whose calls are counted.
const TRANSACTIONS: u32 = 1000;

/// Measures the speed test; `size` is 100 for all the work that it does by itself.
pub(crate) fn rows(size: u32, rounds: usize) -> Result<Vec<Row>> {
    let bench = Bench::new(size)?;
    let mut rows = bench.memory(rounds)?;
    rows.extend(bench.file(rounds)?);
    rows.extend(bench.calls()?);
    Ok(rows)
}

struct Bench {
    settings: Vec<String>,
    runtime: Runtime,
    charged: Runtime,
    shell: Module,
    speedtest1: Module,
    gcc: PathBuf,
    clang: PathBuf,
}

impl Bench {
    fn new(size: u32) -> Result<Self> {
        let runtime = enclave::runtime()?;
        let size = size.to_string();
        Ok(Self {
            settings: ["--size", &size, "--cachesize", CACHE_PAGES]
                .map(str::to_owned)
                .into(),
            charged: enclave::runtime_with(HARDWARE, None)?,
            shell: runtime.load(Program::Shell.module()?)?,
            speedtest1: runtime.load(Program::Speedtest1.module()?)?,
            gcc: Program::Speedtest1.native()?,
            clang: Program::Speedtest1.native_clang()?,
            runtime,
        })
    }

    fn memory(&self, rounds: usize) -> Result<Vec<Row>> {
        let tests = self.tests("memory")?;
        let judge = |output: String| judge(&output, tests.len());
        let contest = Contest::of(tests.clone())
            .variant("native/clang", || {
                judge(self.natively(&self.clang, ":memory:")?)
            })
            .variant("native/gcc", || {
                judge(self.natively(&self.gcc, ":memory:")?)
            })
            .variant("twine/memory", || judge(self.in_memory(&self.runtime)?))
            .variant("twine/memory/charged", || {
                judge(self.in_memory(&self.charged)?)
            });
        contest.run(rounds)
    }

    fn file(&self, rounds: usize) -> Result<Vec<Row>> {
        let tests = self.tests("file")?;
        let judge = |output: String| judge(&output, tests.len());
        let contest = Contest::of(tests.clone())
            .variant("native/gcc", || judge(self.natively(&self.gcc, "test.db")?))
            .variant("native/clang", || {
                judge(self.natively(&self.clang, "test.db")?)
            })
            .variant("twine/memory", || judge(self.in_memory(&self.runtime)?))
            .variant("twine/volume", || judge(self.on_volume(&self.runtime)?))
            .variant("twine/volume/charged", || {
                judge(self.on_volume(&self.charged)?)
            })
            .variant("twine/host-directory", || judge(self.on_host()?));
        contest.run(rounds)
    }

    /// The names of the tests, from a run of little work; the first is all of them together.
    fn tests(&self, place: &str) -> Result<Vec<Subject>> {
        let output = peers::printed(Command::new(&self.gcc).args(["--size", "1", ":memory:"]))?;
        let all = std::iter::once("total".to_owned());
        let tests = times(&output).map(|(number, _)| number.to_owned());
        let subject = |test| Subject {
            name: format!("speedtest1/{place}/{test}"),
            unit: "ms",
        };
        Ok(all.chain(tests).map(subject).collect())
    }

    fn natively(&self, program: &Path, file: &str) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program);
        // Without the locks that nobody needs: native at its best.
        command.args(&self.settings).args(["--exclusive", file]);
        peers::printed(command.current_dir(folder.path()))
    }

    fn in_memory(&self, runtime: &Runtime) -> Result<String> {
        let launch = Launch::new(runtime, &self.speedtest1).args(&self.settings);
        // VACUUM makes a temporary file.
        let launch = launch.tmpfs("/tmp", TEMPORARY_LEN_MAX)?;
        enclave::finish(launch.arg(":memory:"))
    }

    fn on_volume(&self, runtime: &Runtime) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let launch = mount(runtime, &self.speedtest1, &folder)?.args(&self.settings);
        enclave::finish(launch.args(["--vfs", "volume", "test.db"]))
    }

    fn on_host(&self) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let launch = Launch::new(&self.runtime, &self.speedtest1).args(&self.settings);
        let launch = launch.host_directory("/", folder.path());
        enclave::finish(launch.args(["--vfs", "unix", "test.db"]))
    }

    /// Calls of the host for a transaction of one row, for both file system layers.
    fn calls(&self) -> Result<Vec<Row>> {
        let layers = [
            ("volume", "volume", ""),
            ("volume, WAL", "volume", "PRAGMA journal_mode = WAL;"),
            ("unix", "unix", ""),
        ];
        let mut rows = Vec::new();
        for (name, vfs, mode) in layers {
            let (few, many) = (
                self.count(vfs, mode, 0)?,
                self.count(vfs, mode, TRANSACTIONS)?,
            );
            for (what, few, many) in [
                ("calls", few.0, many.0),
                ("writes", few.1, many.1),
                ("flushes", few.2, many.2),
            ] {
                let each = many.saturating_sub(few) as f64 / f64::from(TRANSACTIONS);
                let subject = format!("sqlite/transaction/{what}");
                rows.push(Row::single(&subject, name, "count", each));
            }
        }
        Ok(rows)
    }

    /// Calls, writes and flushes of a shell that runs so many transactions.
    fn count(&self, vfs: &str, mode: &str, transactions: u32) -> Result<(u64, u64, u64)> {
        let folder = tempfile::tempdir()?;
        let mut script = format!("{mode}\n");
        for n in 0..transactions {
            script += &format!("UPDATE t SET b = {n} WHERE a = 0;\n");
        }
        self.put(&folder, &script)?;
        let watch = Watch::default();
        let launch = mount(&self.runtime, &self.shell, &folder)?;
        let launch = launch.args(["-batch", "-vfs", vfs, "test.db", ".read /script.sql"]);
        enclave::finish(watch.on(launch))?;
        let calls = watch.calls();
        Ok((calls.all(), calls.of(HostCall::StoreWrite), watch.flushes()))
    }

    /// Puts the script into the volume, so that reading it does not count as calls for input, and makes the database:
    /// the first transaction of a new one is another matter.
    fn put(&self, folder: &TempDir, script: &str) -> Result<()> {
        let launch = mount(&self.runtime, &self.shell, folder)?;
        let quoted = script.replace('\'', "''");
        let sql = format!(
            "CREATE TABLE t(a INTEGER PRIMARY KEY, b);\nINSERT INTO t VALUES (0, 0);\n\
             SELECT writefile('/script.sql', '{quoted}');\n"
        );
        enclave::finish(launch.args(["-batch", "test.db"]).stdin(Input::bytes(sql)))?;
        Ok(())
    }
}

fn mount<'a>(runtime: &'a Runtime, module: &'a Module, folder: &TempDir) -> Result<Launch<'a>> {
    let launch = Launch::new(runtime, module);
    Ok(launch
        .volume("/", folder.path().join("bench.tv"))
        .create_volumes()?)
}

/// Milliseconds: of all tests together, then of each.
fn judge(output: &str, expected: usize) -> Result<Vec<f64>> {
    let each = times(output).map(|(_, time)| {
        let seconds: f64 = time.parse().with_context(|| format!("the time {time}"))?;
        Ok(seconds * 1e3)
    });
    let each = each.collect::<Result<Vec<f64>>>()?;
    ensure!(each.len() + 1 == expected, "{} tests: {output}", each.len());
    let all = each.iter().sum();
    Ok(std::iter::once(all).chain(each).collect())
}

/// Numbers and seconds of the tests in the speed test's output: ` 100 - 50000 INSERTs into table....    0.072s`.
fn times(output: &str) -> impl Iterator<Item = (&str, &str)> {
    output.lines().filter_map(|line| {
        let (number, rest) = line.trim_start().split_once(" - ")?;
        number.parse::<u32>().ok()?;
        let time = rest.rsplit([' ', '.']).next()?;
        let whole = rest.split_whitespace().next_back()?.strip_suffix('s')?;
        let digits = whole.trim_start_matches('.');
        (!time.is_empty()).then_some((number, digits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_in_the_speed_tests_output() {
        let output = "-- Speedtest1 for SQLite 3.49.1\n 100 - 500 INSERTs into table with no index.................    0.003s\n \
                      990 - ANALYZE...........................................   12.000s\n       TOTAL.......    0.117s\n";
        let found: Vec<_> = times(output).collect();
        assert_eq!(found, [("100", "0.003"), ("990", "12.000")]);
    }
}
