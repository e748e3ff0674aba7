//! `PolyBench`: 30 kernels, natively, in enclaves, and under the same engine and others outside.
//!
//! Every kernel times itself, the filling of its arrays left out; compiling and launching are not in these figures. Each
//! execution repeats a short kernel and gives its best time; executions of all variants take turns. What a variant computes
//! has to be what the others compute, bit by bit.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use twine::{Launch, Module, Runtime};
use twine_guests::polybench::{Build, KERNELS, Kernel, Printed, Size};

use crate::contest::{Contest, Effort, Row, geometric_mean};
use crate::enclave;
use crate::outside::{Bounds, Program};
use crate::peers::{self, Form, Wamr};

/// How long one execution of a short kernel is repeated, in nanoseconds.
const EXECUTION: u64 = 50_000_000;

/// At most so often: the shortest kernels take microseconds.
const REPEAT_MAX: u64 = 200;

/// The kernels that are measured in their large size where time is short: they take seconds each, all thirty an hour.
const FEW: [&str; 8] = [
    "2mm",
    "doitgen",
    "fdtd-2d",
    "gemm",
    "heat-3d",
    "jacobi-2d",
    "syrk",
    "trmm",
];

/// What is measured.
pub(crate) struct Plan {
    pub(crate) sizes: Vec<Size>,
    /// Names of kernels, or none for all that the effort allows.
    pub(crate) kernels: Vec<String>,
    pub(crate) effort: Effort,
    pub(crate) rounds: usize,
    /// Whether runtimes of others take part.
    pub(crate) peers: bool,
}

pub(crate) fn rows(plan: &Plan) -> Result<Vec<Row>> {
    let runtime = enclave::runtime()?;
    let wamr = if plan.peers { Wamr::find()? } else { None };
    let mut rows = Vec::new();
    for size in &plan.sizes {
        let kernels = plan.kernels(*size)?;
        compile(&kernels, *size)?;
        let mut of_size = Vec::new();
        for kernel in &kernels {
            let trial = Trial::new(*kernel, *size, &runtime)?;
            of_size.extend(trial.run(plan, wamr.as_ref())?);
        }
        rows.extend(means(*size, &of_size));
        rows.extend(of_size);
    }
    Ok(rows)
}

impl Plan {
    fn kernels(&self, size: Size) -> Result<Vec<Kernel>> {
        let few = self.effort == Effort::Quick && size == Size::Large;
        let wanted = |kernel: &&Kernel| match self.kernels.as_slice() {
            [] => !few || FEW.contains(&kernel.0),
            names => names.iter().any(|name| name == kernel.0),
        };
        let found: Vec<Kernel> = KERNELS.iter().filter(wanted).copied().collect();
        for name in &self.kernels {
            ensure!(
                found.iter().any(|kernel| kernel.0 == name),
                "no kernel is called {name}"
            );
        }
        Ok(found)
    }
}

/// Compiles everything first, so that nothing is compiled between measurements.
fn compile(kernels: &[Kernel], size: Size) -> Result<()> {
    let style = ProgressStyle::with_template("compiling {msg:23} {bar:30} {pos:>4}/{len}")?;
    let bar = ProgressBar::new(u64::try_from(kernels.len())?).with_style(style);
    for kernel in kernels {
        bar.set_message(kernel.0);
        for build in Build::ALL {
            if build != Build::Gcc || has_gcc() {
                kernel.build(size, build)?;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn has_gcc() -> bool {
    Command::new("gcc").arg("--version").output().is_ok()
}

/// One kernel in one size.
struct Trial<'a> {
    kernel: Kernel,
    size: Size,
    runtime: &'a Runtime,
    /// How often an execution repeats it.
    arguments: Vec<String>,
    /// What it has to compute.
    shown: String,
}

impl<'a> Trial<'a> {
    fn new(kernel: Kernel, size: Size, runtime: &'a Runtime) -> Result<Self> {
        let output = peers::printed(&mut Command::new(kernel.build(size, Build::Clang)?))?;
        let printed = Printed::parse(&output);
        let once = printed.rounds.first().context("a kernel without a time")?;
        let repeat = (EXECUTION / once.max(&1)).clamp(1, REPEAT_MAX);
        Ok(Self {
            kernel,
            size,
            runtime,
            arguments: vec![repeat.to_string()],
            shown: printed.shown,
        })
    }

    fn run(&self, plan: &Plan, wamr: Option<&Wamr>) -> Result<Vec<Row>> {
        let subject = format!("polybench/{}/{}", self.size.name(), self.kernel.0);
        let mut contest =
            Contest::new(subject, "ns").variant("clang", self.natively(Build::Clang)?);
        if has_gcc() {
            contest = contest.variant("gcc", self.natively(Build::Gcc)?);
        }
        for (build, form) in [(Build::Wasm, "plain"), (Build::WasmSimd, "simd")] {
            let path = self.kernel.build(self.size, build)?;
            let module = self.runtime.load(&path)?;
            contest = contest.variant(format!("twine/{form}"), self.enclosed(module));
            for (bounds, name) in [
                (Bounds::GuardPages, "outside"),
                (Bounds::Explicit, "outside-checks"),
            ] {
                let program = Program::new(&path, bounds)?;
                let arguments = [vec![self.kernel.0.to_owned()], self.arguments.clone()].concat();
                contest = contest.variant(format!("{name}/{form}"), move || {
                    self.judge(&program.run(&arguments)?)
                });
            }
            if plan.peers {
                let path = path.clone();
                contest = contest.variant(format!("wasmtime/{form}"), move || {
                    self.judge(&peers::wasmtime(&path, &self.arguments)?)
                });
            }
            for found in wamr.map_or(&[][..], |_| &Form::ALL) {
                contest = self.under_wamr(contest, wamr, &path, *found, form)?;
            }
        }
        contest.run(plan.rounds)
    }

    fn natively(&self, build: Build) -> Result<impl FnMut() -> Result<Vec<f64>> + '_> {
        let program = self.kernel.build(self.size, build)?;
        Ok(move || {
            self.judge(&peers::printed(
                Command::new(&program).args(&self.arguments),
            )?)
        })
    }

    fn enclosed(&self, module: Module) -> impl FnMut() -> Result<Vec<f64>> + '_ {
        move || {
            let launch = Launch::new(self.runtime, &module).args(self.arguments.iter().cloned());
            self.judge(&enclave::finish(launch)?)
        }
    }

    fn under_wamr<'c>(
        &'c self,
        contest: Contest<'c>,
        wamr: Option<&'c Wamr>,
        module: &Path,
        found: Form,
        form: &str,
    ) -> Result<Contest<'c>> {
        let wamr = wamr.context("WAMR is not here")?;
        let compiled = wamr.compile(module, found)?;
        let name = format!("{}/{form}", found.name());
        Ok(contest.variant(name, move || {
            self.judge(&wamr.run(&compiled, &self.arguments)?)
        }))
    }

    /// The best time of an execution that computed the right thing.
    fn judge(&self, output: &str) -> Result<Vec<f64>> {
        let printed = Printed::parse(output);
        ensure!(
            printed.shown == self.shown,
            "computes something else: {} instead of {}",
            printed.shown,
            self.shown
        );
        let best = printed.rounds.iter().min().context("no time")?;
        Ok(vec![*best as f64])
    }
}

/// The geometric means of all kernels' ratios, for each variant.
fn means(size: Size, rows: &[Row]) -> Vec<Row> {
    let subject = format!("polybench/{}/geometric-mean", size.name());
    let mut variants: Vec<&str> = Vec::new();
    for row in rows {
        if !variants.contains(&row.variant.as_str()) {
            variants.push(&row.variant);
        }
    }
    let of = |variant: &str| {
        let rows = rows.iter().filter(|row| row.variant == variant);
        geometric_mean(rows.map(|row| row.ratio))
    };
    let row = |variant: &&str| {
        let mean = of(variant);
        Row {
            ratio: mean,
            ratio_low: mean,
            ratio_high: mean,
            ..Row::single(&subject, variant, "ratio", mean)
        }
    };
    variants.iter().map(row).collect()
}
