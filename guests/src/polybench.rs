//! `PolyBench`: 30 numerical kernels, from one source each, as WASI modules and as programs of this machine.
//!
//! The kernels (`polybench/*.c`) are written from the definitions of PolyBench/C 4.2.1 (Ohio State University): the same loop
//! nests, initial values and sizes, so figures compare with those that others publish. Nothing of its code is here.
//! `polybench/expected-mini.txt` has the results of the smallest size; they are those of PolyBench/C 4.2.1, bit by bit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
pub use crate::KERNELS;
use crate::build::{compile_once, in_guests, with_flags, zig};
use crate::tools::{ZIGLANG, short_hash};

/// A kernel, by its file's name without the ending.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kernel(pub &'static str);

/// How much a kernel has to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Size {
    /// Microseconds: for tests.
    Mini,
    /// Below a millisecond.
    Small,
    /// Milliseconds: arrays that fit in the second cache.
    Medium,
    /// Seconds: arrays that fit in no cache.
    Large,
}

/// Who compiles a kernel, and for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Build {
    /// A WASI module without vectors, by Clang.
    Wasm,
    /// A WASI module with vectors of 128 bits, by the same.
    WasmSimd,
    /// A program for any x86-64 processor, by the same.
    Clang,
    /// A program for any x86-64 processor, by this machine's GCC.
    Gcc,
}

/// Flags for every build. Contraction to fused multiply-add would make the targets round differently.
const FLAGS: [&str; 5] = ["-std=gnu17", "-O3", "-Wall", "-Wextra", "-ffp-contract=off"];

/// What every kernel includes.
const HEADER: &str = include_str!("../polybench/polybench.h");

/// What the kernels compute in the smallest size: lines of the kernel's name and a line of its output.
const EXPECTED_MINI: &str = include_str!("../polybench/expected-mini.txt");

impl Size {
    /// The name of its macro, which is also the published one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mini => "MINI",
            Self::Small => "SMALL",
            Self::Medium => "MEDIUM",
            Self::Large => "LARGE",
        }
    }
}

impl Build {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Wasm, Self::WasmSimd, Self::Clang, Self::Gcc];

    const fn name(self) -> &'static str {
        match self {
            Self::Wasm => "plain.wasm",
            Self::WasmSimd => "simd.wasm",
            Self::Clang => "clang",
            Self::Gcc => "gcc",
        }
    }

    /// What it adds to the flags: the target, named so that no feature of this machine's processor is used.
    const fn target(self) -> &'static [&'static str] {
        match self {
            Self::Wasm => &["-target", "wasm32-wasi"],
            Self::WasmSimd => &["-target", "wasm32-wasi", "-mcpu=generic+simd128"],
            Self::Clang => &["-target", "x86_64-linux-gnu"],
            Self::Gcc => &["-march=x86-64"],
        }
    }

    fn compiler(self) -> Result<Command, Error> {
        let mut command = match self {
            Self::Gcc if Command::new("gcc").arg("--version").output().is_err() => {
                return Err(Error::MissingTool {
                    tool: "GCC",
                    remedy: "on Debian or Ubuntu, `sudo apt-get install gcc`",
                });
            }
            Self::Gcc => with_flags("gcc", &FLAGS),
            _ => zig("cc", &FLAGS)?,
        };
        command.args(self.target());
        Ok(command)
    }
}

impl Kernel {
    /// Compiles the kernel, unless that has been done, and returns the file.
    ///
    /// # Errors
    /// [`Error::MissingTool`] if the compiler can neither be found nor fetched; others if it fails.
    pub fn build(self, size: Size, build: Build) -> Result<PathBuf, Error> {
        let source = self.source();
        let text = fs::read(&source).map_err(Error::io(&source))?;
        let settings = [&FLAGS[..], build.target()].concat().concat();
        let hash = short_hash(&[
            &text,
            HEADER.as_bytes(),
            ZIGLANG.pin.as_bytes(),
            settings.as_bytes(),
        ]);
        let (name, size) = (self.0, size.name());
        let product = in_guests(&format!("polybench_{name}-{size}-{hash}.{}", build.name()))?;
        compile_once(&product, name, |partial| {
            let mut command = build.compiler()?;
            command.arg(format!("-DSIZE={size}"));
            command.arg(&source).arg("-o").arg(partial).arg("-lm");
            Ok(command)
        })?;
        Ok(product)
    }

    /// What the kernel shows of its results in the smallest size.
    #[must_use]
    pub fn expected_mini(self) -> String {
        let mine = EXPECTED_MINI.lines().filter_map(|line| {
            let (name, shown) = line.split_once(' ')?;
            (name == self.0).then_some(shown)
        });
        mine.collect::<Vec<_>>().join("\n")
    }

    fn source(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("polybench")
            .join(format!("{}.c", self.0))
    }
}

/// What a kernel printed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Printed {
    /// The nanoseconds of each round.
    pub rounds: Vec<u64>,
    /// What it shows of its results, a line for each array.
    pub shown: String,
}

impl Printed {
    /// Takes a kernel's output apart.
    #[must_use]
    pub fn parse(output: &str) -> Self {
        let time = |line: &str| line.strip_prefix("time ")?.parse().ok();
        let shown = output.lines().filter(|line| time(line).is_none());
        Self {
            rounds: output.lines().filter_map(time).collect(),
            shown: shown.collect::<Vec<_>>().join("\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_thirty_kernels_and_the_results_of_each() {
        assert_eq!(KERNELS.len(), 30);
        assert!(KERNELS.iter().all(|kernel| kernel.source().is_file()));
        assert!(
            KERNELS
                .iter()
                .all(|kernel| !kernel.expected_mini().is_empty())
        );
    }

    #[test]
    fn times_and_results_are_told_apart() {
        let printed = Printed::parse("time 12\ntime 9\nC 4 sum 1 hash 2\n");
        assert_eq!(printed.rounds, [12, 9]);
        assert_eq!(printed.shown, "C 4 sum 1 hash 2");
    }
}
