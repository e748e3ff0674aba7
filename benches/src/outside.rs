//! The same engine outside any enclave, by itself: what an enclave adds to computing, and what checks would cost that none of
//! ours needs.
//!
//! It knows as much of WASI as a program needs that computes and prints. Nothing here is a way to launch an enclave: code with
//! explicit checks is compiled by this file alone, for this process, and every enclave refuses it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use twine::Compiler;
use twine::abi::apply_profile;
use twine::abi::profile::{COMPILER_FLAGS, CPU_FEATURES};
use wasmtime::{Caller, Config, Engine, Extern, Linker, Memory, Module, Store};

/// How accesses to linear memory are kept in bounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bounds {
    /// By pages that nobody may touch: the profile of enclaves. The code is the very same.
    GuardPages,
    /// By a comparison at every access.
    Explicit,
}

/// A program, compiled.
pub(crate) struct Program {
    engine: Engine,
    module: Module,
}

/// What a program sees and does.
struct World {
    arguments: Vec<String>,
    output: Vec<u8>,
    start: Instant,
}

/// The program ended itself.
#[derive(Debug)]
struct Exit(i32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// WASI's `success`, `badf`, `inval`.
const SUCCESS: i32 = 0;
const BAD_DESCRIPTOR: i32 = 8;
const INVALID: i32 = 28;

impl Program {
    /// Compiles the module in a file.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn new(path: &Path, bounds: Bounds) -> Result<Self> {
        let wasm = fs::read(path)?;
        let engine = Engine::new(&config(bounds)?).map_err(told)?;
        let module = match bounds {
            Bounds::GuardPages => {
                let compiler = Compiler::new().map_err(told)?;
                let code = compiler
                    .machine_code(&wasm)
                    .map_err(|error| anyhow!(error))?;
                load(&engine, &code)?
            }
            Bounds::Explicit => Module::new(&engine, &wasm).map_err(told)?,
        };
        Ok(Self { engine, module })
    }

    /// Runs it and returns what it printed.
    ///
    /// # Errors
    /// If it traps or ends with another code than 0.
    pub(crate) fn run(&self, arguments: &[String]) -> Result<String> {
        let world = World {
            arguments: arguments.to_vec(),
            output: Vec::new(),
            start: Instant::now(),
        };
        let mut store = Store::new(&self.engine, world);
        let linker = self.linker().map_err(told)?;
        let instance = linker.instantiate(&mut store, &self.module).map_err(told)?;
        let entry = instance.get_typed_func::<(), ()>(&mut store, "_start");
        match entry.map_err(told)?.call(&mut store, ()) {
            Err(error) if !matches!(error.downcast_ref(), Some(Exit(0))) => bail!("{error:#}"),
            _ => Ok(String::from_utf8(store.into_data().output)?),
        }
    }

    fn linker(&self) -> wasmtime::Result<Linker<World>> {
        let mut linker = Linker::new(&self.engine);
        let wasi = "wasi_snapshot_preview1";
        linker.func_wrap(wasi, "args_sizes_get", args_sizes_get)?;
        linker.func_wrap(wasi, "args_get", args_get)?;
        linker.func_wrap(wasi, "clock_time_get", clock_time_get)?;
        linker.func_wrap(wasi, "fd_write", fd_write)?;
        // Standard output is no terminal and nothing one can move in.
        linker.func_wrap(wasi, "fd_fdstat_get", |_: i32, _: i32| BAD_DESCRIPTOR)?;
        linker.func_wrap(wasi, "fd_seek", |_: i32, _: i64, _: i32, _: i32| {
            BAD_DESCRIPTOR
        })?;
        linker.func_wrap(wasi, "fd_close", |_: i32| SUCCESS)?;
        linker.func_wrap(wasi, "proc_exit", |code: i32| -> wasmtime::Result<()> {
            Err(Exit(code).into())
        })?;
        // What hardened modules call instead of a null function.
        linker.define_unknown_imports_as_traps(&self.module)?;
        Ok(linker)
    }
}

fn config(bounds: Bounds) -> Result<Config> {
    let mut config = Config::new();
    apply_profile!(&mut config).map_err(told)?;
    if bounds == Bounds::Explicit {
        config
            .memory_reservation(0)
            .memory_guard_size(0)
            .guard_before_linear_memory(false)
            .memory_may_move(true);
    }
    for feature in CPU_FEATURES {
        enable(&mut config, feature.flag);
    }
    for flag in COMPILER_FLAGS {
        set(&mut config, flag.flag, flag.value);
    }
    Ok(config)
}

#[expect(
    unsafe_code,
    reason = "the engine cannot know that the bytes are a compiler's; we can"
)]
fn load(engine: &Engine, code: &[u8]) -> Result<Module> {
    // SAFETY:
    // - The exact output of the compiler: `code` was made by our caller's, a line before.
    unsafe { Module::deserialize(engine, code) }.map_err(told)
}

#[expect(
    unsafe_code,
    reason = "the engine's way to name instruction-set extensions"
)]
fn enable(config: &mut Config, flag: &'static str) {
    // SAFETY:
    // - The extension must be there: the engine asks the processor before it accepts the code.
    unsafe { config.cranelift_flag_enable(flag) };
}

#[expect(
    unsafe_code,
    reason = "the compiler's flags can break its output, so setting one is unsafe"
)]
fn set(config: &mut Config, flag: &'static str, value: &'static str) {
    // SAFETY:
    // - Code must stay what the engine expects: the flags are the profile's own.
    unsafe { config.cranelift_flag_set(flag, value) };
}

/// The engine's errors are not `anyhow`'s.
fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}

fn memory(caller: &mut Caller<'_, World>) -> wasmtime::Result<Memory> {
    let found = caller.get_export("memory").and_then(Extern::into_memory);
    found.ok_or_else(|| wasmtime::Error::msg("no memory"))
}

/// Writes 32 bits at a guest's address.
fn put(caller: &mut Caller<'_, World>, at: i32, value: u32) -> wasmtime::Result<()> {
    put_bytes(caller, at, &value.to_le_bytes())
}

fn put_bytes(caller: &mut Caller<'_, World>, at: i32, bytes: &[u8]) -> wasmtime::Result<()> {
    let memory = memory(caller)?;
    Ok(memory.write(caller, offset(at), bytes)?)
}

/// Reads 32 bits at a guest's address.
fn get(caller: &mut Caller<'_, World>, at: i32) -> wasmtime::Result<i32> {
    let mut bytes = [0; 4];
    memory(caller)?.read(caller, offset(at), &mut bytes)?;
    Ok(i32::from_le_bytes(bytes))
}

/// Addresses are unsigned; the engine passes them as numbers with a sign.
const fn offset(at: i32) -> usize {
    at.cast_unsigned() as usize
}

fn args_sizes_get(mut caller: Caller<'_, World>, count: i32, len: i32) -> wasmtime::Result<i32> {
    let arguments = &caller.data().arguments;
    let bytes: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
    let (found, bytes) = (u32::try_from(arguments.len())?, u32::try_from(bytes)?);
    put(&mut caller, count, found)?;
    put(&mut caller, len, bytes)?;
    Ok(SUCCESS)
}

fn args_get(mut caller: Caller<'_, World>, list: i32, bytes: i32) -> wasmtime::Result<i32> {
    let (mut entry, mut at) = (list, bytes);
    for argument in caller.data().arguments.clone() {
        put(&mut caller, entry, at.cast_unsigned())?;
        let text = [argument.as_bytes(), b"\0"].concat();
        put_bytes(&mut caller, at, &text)?;
        (entry, at) = (entry + 4, at + i32::try_from(text.len())?);
    }
    Ok(SUCCESS)
}

fn clock_time_get(
    mut caller: Caller<'_, World>,
    _: i32,
    _: i64,
    into: i32,
) -> wasmtime::Result<i32> {
    let elapsed = u64::try_from(caller.data().start.elapsed().as_nanos())?;
    put_bytes(&mut caller, into, &elapsed.to_le_bytes())?;
    Ok(SUCCESS)
}

fn fd_write(
    mut caller: Caller<'_, World>,
    fd: i32,
    vectors: i32,
    count: i32,
    written: i32,
) -> wasmtime::Result<i32> {
    let mut total = 0;
    for vector in 0..count {
        let at = vectors + vector * 8;
        let (from, len) = (get(&mut caller, at)?, get(&mut caller, at + 4)?);
        let Ok(len) = usize::try_from(len) else {
            return Ok(INVALID);
        };
        let mut bytes = vec![0; len];
        memory(&mut caller)?.read(&caller, offset(from), &mut bytes)?;
        if fd == 1 {
            caller.data_mut().output.extend_from_slice(&bytes);
        }
        total += len;
    }
    put(&mut caller, written, u32::try_from(total)?)?;
    Ok(SUCCESS)
}
