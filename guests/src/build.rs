//! From source to module or native program, once for each content.
//!
//! The file's name carries a hash of the source, the compiler's pin and its flags. It is written under another name
//! first and renamed, so a file that exists is complete and a race costs no more than a second compilation.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sections::without_debug;
use crate::tools::{DebianRust, ZIGLANG, short_hash};
use crate::{Error, Guest, Language};

/// Flags for C to both targets. Contraction to fused multiply-add would make the two round differently.
const C_FLAGS: [&str; 4] = ["-std=gnu17", "-O2", "-Wall", "-ffp-contract=off"];

/// Flags for C++ to both targets.
const CPP_FLAGS: [&str; 5] = [
    "-std=gnu++20",
    "-O2",
    "-Wall",
    "-ffp-contract=off",
    "-fno-exceptions",
];

/// Flags for Zig to both targets.
const ZIG_FLAGS: [&str; 2] = ["-O", "ReleaseSafe"];

/// What Zig needs to know of WASI: the generic processor has no vectors.
const ZIG_WASI_FLAGS: [&str; 1] = ["-mcpu=generic+simd128"];

/// Flags for Rust to both targets.
pub(crate) const RUST_FLAGS: [&str; 4] = [
    "--edition=2021",
    "-Copt-level=2",
    "-Cpanic=abort",
    "-Cstrip=debuginfo",
];

/// What a program is compiled for.
#[derive(Clone, Copy)]
enum Target {
    Wasi,
    Native,
}

/// Returns the guest as a WASI module.
pub(crate) fn module(guest: &Guest) -> Result<PathBuf, Error> {
    match guest.language {
        Language::Wat => Ok(guest.source().to_owned()),
        _ => once(guest, Target::Wasi),
    }
}

/// Returns the guest as a program of this machine.
pub(crate) fn native(guest: &Guest) -> Result<PathBuf, Error> {
    match guest.language {
        Language::Wat => Err(Error::NotNative(guest.name)),
        _ => once(guest, Target::Native),
    }
}

/// Compiles unless the result is there.
fn once(guest: &Guest, target: Target) -> Result<PathBuf, Error> {
    let product = product(guest, target)?;
    compile_once(&product, guest.name, |partial| {
        command(guest, target, partial)
    })?;
    Ok(product)
}

/// Has a compiler make `product`, a module if it is called so, unless it is there. `command` is told where to put it.
pub(crate) fn compile_once(
    product: &Path,
    name: &str,
    command: impl FnOnce(&Path) -> Result<Command, Error>,
) -> Result<(), Error> {
    if product.is_file() {
        return Ok(());
    }
    // Unique among threads and processes: every compilation has a folder of its own. The file's name is the guest's,
    // because linkers write it into the module.
    static SERIAL: AtomicUsize = AtomicUsize::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let folder = product.with_extension(format!("{}-{serial}", process::id()));
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    let partial = folder.join(format!("{name}.wasm"));
    run(&format!("compiling the guest {name}"), command(&partial)?)?;
    if product.extension() == Some(OsStr::new("wasm")) {
        let module = fs::read(&partial).map_err(Error::io(&partial))?;
        fs::write(&partial, without_debug(&module)).map_err(Error::io(&partial))?;
    }
    fs::rename(&partial, product).map_err(Error::io(product))?;
    fs::remove_dir_all(&folder).map_err(Error::io(&folder))
}

/// A file below the folder of compiled guests, which is made.
pub(crate) fn in_guests(name: &str) -> Result<PathBuf, Error> {
    let folder = crate::target().join("guests");
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    Ok(folder.join(name))
}

/// Where the compiled guest belongs.
fn product(guest: &Guest, target: Target) -> Result<PathBuf, Error> {
    let source = fs::read(guest.source()).map_err(Error::io(guest.source()))?;
    let settings = [
        C_FLAGS.concat(),
        CPP_FLAGS.concat(),
        RUST_FLAGS.concat(),
        ZIG_FLAGS.concat(),
    ]
    .concat();
    let header = include_bytes!("../twine.h");
    let hash = short_hash(&[&source, header, ZIGLANG.pin.as_bytes(), settings.as_bytes()]);
    in_guests(&match target {
        Target::Wasi => format!("{}-{hash}.wasm", guest.name),
        Target::Native => format!("{}-{hash}.native", guest.name),
    })
}

/// The compiler's command line.
fn command(guest: &Guest, target: Target, out: &Path) -> Result<Command, Error> {
    let mut command = match (guest.language, target) {
        (Language::C, Target::Wasi) => zig("cc", &C_FLAGS)?,
        (Language::Cpp, Target::Wasi) => zig("c++", &CPP_FLAGS)?,
        (Language::Zig, _) => zig("build-exe", &ZIG_FLAGS)?,
        (Language::Rust, Target::Wasi) => DebianRust::unpack()?.command(),
        (Language::C, Target::Native) => native_c("cc", "cc", &C_FLAGS)?,
        (Language::Cpp, Target::Native) => native_c("c++", "c++", &CPP_FLAGS)?,
        (Language::Rust, Target::Native) => with_flags("rustc", &RUST_FLAGS),
        (Language::Wat, _) => return Err(Error::NotNative(guest.name)),
    };
    if let (Language::C | Language::Cpp | Language::Zig, Target::Wasi) = (guest.language, target) {
        command.args(["-target", "wasm32-wasi"]);
    }
    if let (Language::Zig, Target::Wasi) = (guest.language, target) {
        command.args(ZIG_WASI_FLAGS);
    }
    command.arg(guest.source());
    match guest.language {
        Language::Zig => command.arg(format!("-femit-bin={}", out.display())),
        _ => command.arg("-o").arg(out),
    };
    if let (Language::C, Target::Native) = (guest.language, target) {
        command.arg("-lm");
    }
    Ok(command)
}

/// One of the compilers in the Zig toolchain, with its caches in the target folder.
pub(crate) fn zig(compiler: &str, flags: &[&str]) -> Result<Command, Error> {
    let cache = crate::target().join("guests/zig-cache");
    let mut command = Command::new(ZIGLANG.install()?.join("ziglang/zig"));
    command
        .arg(compiler)
        .args(flags)
        .env("ZIG_GLOBAL_CACHE_DIR", &cache)
        .env("ZIG_LOCAL_CACHE_DIR", cache.join("local"));
    Ok(command)
}

/// The machine's own compiler if it has one, else the Zig toolchain's.
pub(crate) fn native_c(own: &str, fallback: &str, flags: &[&str]) -> Result<Command, Error> {
    if Command::new(own).arg("--version").output().is_err() {
        return zig(fallback, flags);
    }
    Ok(with_flags(own, flags))
}

/// A compiler with its flags.
pub(crate) fn with_flags(compiler: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(compiler);
    command.args(flags);
    command
}

/// Runs a compiler; `what` it does is told if it fails.
pub(crate) fn run(what: &str, mut command: Command) -> Result<(), Error> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(Error::io(&program))?;
    Error::check(what, output).map(drop)
}
