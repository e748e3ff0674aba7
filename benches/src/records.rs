//! The paper's micro-benchmark on SQLite: records of 1,000 bytes are inserted in one transaction, then read in their order, then
//! at random; a page cache of 8 MiB, pages of 4 KiB.
//!
//! | variant | where it runs | where the database is |
//! |---|---|---|
//! | `native/memory`, `native/file` | natively, by GCC | in memory; in a file |
//! | `twine/memory` | in an enclave | in its memory |
//! | `twine/volume` | in an enclave | in a protected volume |
//! | `twine/volume/charged` | the same with the costs of hardware | the same |
//! | `twine/host-directory` | in an enclave | in a file that is not protected |
//! | `outside/volume` | the enclave's runtime, natively | in a protected volume |
//! | `outside/pfs`, `outside/pfs-optimised` | the same | in a model of Intel's protected file system, as in the SDK and as the paper changed it |
//! | `…/charged` | the same, 3 us for each exit | the same |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use twine::{Launch, Module, Runtime};
use twine_fs::{FileStore, HostPlatform, Options, Suite, Volume, VolumeKey};
use twine_guests::sqlite::Program;
use twine_runtime::Mount;
use twine_runtime::files::{Access, ProtectedFiles};

use crate::contest::{Contest, Row, Subject};
use crate::enclave::{self, EXIT, HARDWARE};
use crate::pfs::{Files, Form, Ledger, Spent};
use crate::{native, peers};

/// The counts of the paper's figures.
pub(crate) const COUNTS: [u32; 9] = [
    1_000, 10_000, 25_000, 50_000, 75_000, 100_000, 125_000, 150_000, 175_000,
];

/// Some of them, where time is short.
pub(crate) const FEW: [u32; 5] = [1_000, 10_000, 50_000, 100_000, 175_000];

/// The parts that are timed, in their order.
const PARTS: [&str; 3] = ["insert", "sequential", "random"];

pub(crate) fn rows(counts: &[u32], rounds: usize) -> Result<Vec<Row>> {
    let bench = Bench::new()?;
    let mut rows = Vec::new();
    for count in counts {
        rows.extend(bench.compare(*count, rounds)?);
    }
    Ok(rows)
}

struct Bench {
    free: Runtime,
    charged: Runtime,
    module: Module,
    outside: native::Program,
    native: PathBuf,
    /// What the models spent on random reads, by variant and run.
    spent: RefCell<BTreeMap<&'static str, Vec<Spent>>>,
}

impl Bench {
    fn new() -> Result<Self> {
        let free = enclave::runtime()?;
        let path = Program::Records.module()?;
        Ok(Self {
            charged: enclave::runtime_with(HARDWARE, None)?,
            module: free.load(&path)?,
            outside: native::Program::new(&free, &path)?,
            native: Program::Records.native()?,
            free,
            spent: RefCell::default(),
        })
    }

    fn compare(&self, count: u32, rounds: usize) -> Result<Vec<Row>> {
        self.spent.borrow_mut().clear();
        let subject = |part| Subject {
            name: format!("records/{part}/{count}"),
            unit: "ns",
        };
        let expected = RefCell::new(None);
        let judge = |output: String| judge(&output, count, &expected);
        let contest = Contest::of(PARTS.map(subject).into())
            .variant("native/memory", || judge(self.natively(":memory:", count)?))
            .variant("native/file", || judge(self.natively("test.db", count)?))
            .variant("twine/memory", || judge(self.in_memory(count)?))
            .variant("twine/volume", || {
                judge(on_volume(&self.free, &self.module, count)?)
            })
            .variant("twine/volume/charged", || {
                judge(on_volume(&self.charged, &self.module, count)?)
            })
            .variant("twine/host-directory", || judge(self.on_host(count)?))
            .variant("outside/volume", || judge(self.outside_volume(count)?));
        let models = [
            ("outside/pfs", Form::Sdk, Duration::ZERO),
            ("outside/pfs/charged", Form::Sdk, EXIT),
            ("outside/pfs-optimised", Form::Optimised, Duration::ZERO),
            ("outside/pfs-optimised/charged", Form::Optimised, EXIT),
        ];
        let contest = models
            .into_iter()
            .fold(contest, |contest, (name, form, exit)| {
                contest.variant(name, move || {
                    judge(self.outside_pfs(name, form, exit, count)?)
                })
            });
        let mut rows = contest.run(rounds)?;
        rows.extend(self.breakdown(count));
        Ok(rows)
    }

    fn natively(&self, database: &str, count: u32) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&self.native);
        command.args([database, "unix", &count.to_string()]);
        peers::printed(command.current_dir(folder.path()))
    }

    fn in_memory(&self, count: u32) -> Result<String> {
        let launch = Launch::new(&self.free, &self.module);
        enclave::finish(launch.args([":memory:", "unix", &count.to_string()]))
    }

    fn on_host(&self, count: u32) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let launch = Launch::new(&self.free, &self.module).host_directory("/", folder.path());
        enclave::finish(launch.args(["test.db", "unix", &count.to_string()]))
    }

    fn outside_volume(&self, count: u32) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let volume = Volume::create(
            Box::new(FileStore::open(&folder.path().join("test.tv"))?),
            Box::new(HostPlatform),
            VolumeKey::new([7; 32]),
            Suite::Aegis128L,
            Options::default(),
        )?;
        let mount = Mount {
            path: "/".to_owned(),
            files: Box::new(ProtectedFiles::new(volume)),
            access: Access::ReadWrite,
        };
        self.outside_run("volume", mount, count, || ())
    }

    fn outside_pfs(
        &self,
        name: &'static str,
        form: Form,
        exit: Duration,
        count: u32,
    ) -> Result<String> {
        let ledger = Ledger::default();
        let files = Files::new(form, exit, &ledger);
        // The program reads the clock before and after each part.
        let marks = Rc::new(RefCell::new(Vec::new()));
        let (noted, spent) = (Rc::clone(&marks), Rc::clone(&ledger));
        let on_clock = move || noted.borrow_mut().push(spent.get());
        let output = self.outside_run("unix", files.mount(), count, on_clock)?;
        let marks = marks.borrow();
        if let [.., before, after] = marks.as_slice() {
            let mut all = self.spent.borrow_mut();
            all.entry(name).or_default().push(after.since(*before));
        }
        Ok(output)
    }

    fn outside_run(
        &self,
        vfs: &str,
        mount: Mount,
        count: u32,
        on_clock: impl FnMut() + 'static,
    ) -> Result<String> {
        let count = count.to_string();
        let arguments = ["test.db", vfs, &count];
        self.outside.run(&arguments, vec![mount], on_clock)
    }

    /// What the models spent a random read on.
    fn breakdown(&self, count: u32) -> Vec<Row> {
        let all = self.spent.borrow();
        let rows = all.iter().flat_map(|(variant, runs)| {
            let row = |part: &str, of: fn(&Spent) -> Duration| {
                // The first round does not count.
                let each = runs.iter().skip(1).map(of);
                let each: Vec<f64> = each
                    .map(|time| time.as_secs_f64() * 1e9 / f64::from(count))
                    .collect();
                let subject = Subject {
                    name: format!("records/random-{part}/{count}"),
                    unit: "ns",
                };
                Row::new(&subject, variant, &each, &each)
            };
            [
                row("host", |spent| spent.host),
                row("clearing", |spent| spent.clearing),
                row("copying", |spent| spent.copying),
                row("cipher", |spent| spent.cipher),
            ]
        });
        rows.collect()
    }
}

/// Runs the benchmark on a new protected volume.
pub(crate) fn on_volume(runtime: &Runtime, module: &Module, count: u32) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let launch = Launch::new(runtime, module)
        .volume("/", folder.path().join("test.tv"))
        .create_volumes()?;
    enclave::finish(launch.args(["test.db", "volume", &count.to_string()]))
}

/// The nanoseconds of each part, divided by the records; every run has to have read the same.
fn judge(output: &str, count: u32, expected: &RefCell<Option<String>>) -> Result<Vec<f64>> {
    let field = |name: &str| {
        let mut pairs = output.lines().filter_map(|line| line.split_once(' '));
        let found = pairs.find(|(key, _)| *key == name).map(|(_, value)| value);
        found.with_context(|| format!("no {name} in {output}"))
    };
    let hash = field("hash")?.to_owned();
    let known = expected
        .borrow_mut()
        .get_or_insert_with(|| hash.clone())
        .clone();
    ensure!(
        hash == known,
        "read something else: {hash} instead of {known}"
    );
    let each = |part| Ok(field(part)?.parse::<f64>()? / f64::from(count));
    PARTS.into_iter().map(each).collect()
}
