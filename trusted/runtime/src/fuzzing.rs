//! Properties that fuzzers drive; the unit tests call them on corner cases and on many arbitrary inputs.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use twine_abi::exchange::{Clock, HostErrno};
use twine_abi::sgx::{KeyRequest, Report, TargetInfo};
use twine_launch::{Arguments, Environment, Limits};
use wasmtime::{Config, Engine, Extern, Func, Linker, Memory, MemoryType, Store, Val, ValType};
use zeroize::Zeroizing;

use crate::attestation::Subject;
use crate::clocks::Clocks;
use crate::descriptors::Descriptors;
use crate::files::{Access, Mount, Mounts, Tmpfs, TmpfsLimits};
use crate::halt::Halt;
use crate::identity::{self as strings_of, Identity};
use crate::limiter::Limiter;
use crate::platform::{Fault, Platform, Sink};
use crate::run::open_mounts;
use crate::state::State;
use crate::{guest_calls, wasi};

/// Most calls in one input: a fuzzer should look for other calls, not for more of the same.
const CALLS_MAX: usize = 64;

/// Descriptors of the guest: the streams, a mount, and a few that are soon used up.
const DESCRIPTORS_MAX: usize = 8;

/// Taking apart any bytes as the caller's arguments and environment ends in strings or an error, never a panic.
pub fn strings(bytes: &[u8]) {
    let rule = Environment {
        from_caller: [String::from("A"), String::from("B")].into(),
        ..Environment::default()
    };
    for result in [
        strings_of::arguments(&Arguments::FromCaller, bytes),
        strings_of::environment(&rule, bytes),
    ] {
        for string in result.unwrap_or_default() {
            assert!(!string.contains('\0'), "a string ends at its zero byte");
        }
    }
}

/// Any sequence of WASI calls with any arguments, answered by any host, ends in errnos or in an orderly halt, never a
/// panic and never outside the guest's memory.
///
/// # Errors
/// Those of the engine, if it cannot be set up; they are not the input's.
pub fn calls(bytes: &[u8]) -> wasmtime::Result<()> {
    let engine = Engine::new(&Config::new())?;
    let (host, guest) = bytes.split_at(bytes.len() / 2);
    let mut store = Store::new(&engine, state(host)?);
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(1)))?;
    memory
        .data_mut(&mut store)
        .iter_mut()
        .zip(guest.iter().cycle())
        .for_each(|(to, from)| *to = *from);
    store.data_mut().memory = Some(memory);
    let functions = functions(&engine, &mut store)?;
    let mut input = Input(guest.to_vec());
    for _ in 0..CALLS_MAX {
        let Some(choice) = input.byte() else { break };
        let function = functions.get(usize::from(choice) % functions.len());
        if let Some(function) = function
            && !call(&mut store, function, &mut input)?
        {
            break;
        }
    }
    Ok(())
}

fn functions(engine: &Engine, store: &mut Store<State>) -> wasmtime::Result<Vec<Func>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    guest_calls::link(&mut linker)?;
    let mut named: Vec<(String, Func)> = linker
        .iter(&mut *store)
        .filter_map(|(_, name, item)| match item {
            Extern::Func(function) => Some((name.into(), function)),
            _ => None,
        })
        .collect();
    // The linker's own order differs from run to run.
    named.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(named.into_iter().map(|(_, function)| function).collect())
}

/// Makes one call. Returns whether the guest goes on.
fn call(store: &mut Store<State>, function: &Func, input: &mut Input) -> wasmtime::Result<bool> {
    let ty = function.ty(&*store);
    let arguments: Vec<Val> = ty
        .params()
        .map(|ty| match ty {
            ValType::I64 => Val::I64(input.number().cast_signed()),
            _ => Val::I32(input.small().cast_signed()),
        })
        .collect();
    let mut results = Vec::from_iter(ty.results().map(|_| Val::I32(0)));
    match function.call(store, &arguments, &mut results) {
        Ok(()) => Ok(true),
        Err(error) if error.is::<Halt>() => Ok(false),
        Err(error) => Err(error),
    }
}

fn state(host: &[u8]) -> wasmtime::Result<State> {
    let limits = Limits::default();
    let mut descriptors = Descriptors::new(DESCRIPTORS_MAX, 0, wasi::stream_rights)
        .map_err(|_| wasmtime::Error::msg("the table does not hold three streams"))?;
    let files = Tmpfs::new(
        TmpfsLimits {
            bytes: 64 << 10,
            inodes: 8,
        },
        Box::new(|| 0),
    );
    let mount = Mount {
        path: "/".into(),
        files: Box::new(files),
        access: Access::ReadWrite,
    };
    let mut mounts = Mounts::new(Vec::from([mount])).map_err(wasmtime::Error::msg)?;
    open_mounts(&mut descriptors, &mut mounts)
        .map_err(|_| wasmtime::Error::msg("the table does not hold a mount"))?;
    Ok(State {
        platform: Box::new(AnyHost(Input(host.to_vec()))),
        subject: Subject::new(&identity(), [1; 32]),
        clocks: Clocks::default(),
        descriptors,
        mounts,
        arguments: Vec::from([String::from("a"), String::new()]),
        environment: Vec::from([String::from("A=1")]),
        limiter: Limiter::new(&limits),
        memory: None,
    })
}

const fn identity() -> Identity {
    Identity {
        config_id: [2; 64],
        config_svn: 0,
        isv_svn: 1,
        cpu_svn: [0; 16],
    }
}

/// Bytes to make decisions from, taken from the end.
struct Input(Vec<u8>);

impl Input {
    fn byte(&mut self) -> Option<u8> {
        self.0.pop()
    }

    /// Mostly numbers that mean something as descriptor, address or length; sometimes any.
    fn small(&mut self) -> u32 {
        match self.byte().unwrap_or(0) {
            0xff => u32::MAX,
            0xfe => 0xfff0 + u32::from(self.byte().unwrap_or(0)),
            0xfd => u32::from(self.byte().unwrap_or(0)) << 24,
            byte => u32::from(byte),
        }
    }

    fn number(&mut self) -> u64 {
        u64::from(self.small()) | u64::from(self.small()) << 32
    }
}

/// A host that answers whatever comes to its mind.
struct AnyHost(Input);

impl AnyHost {
    /// An answer; when there are no more ideas, a request to stop, so that every wait has an end.
    fn answer(&mut self) -> Result<u64, Fault> {
        match self.0.byte() {
            None | Some(0xfb) => Err(Fault::Host(HostErrno::Interrupted)),
            Some(0xfa) => Err(Fault::Host(HostErrno::Io)),
            Some(0xf9) => Err(Fault::Misbehaved("whatever")),
            Some(0xf8) => Ok(u64::MAX),
            Some(byte) => Ok(u64::from(byte)),
        }
    }

    fn count(&mut self) -> Result<usize, Fault> {
        self.answer()
            .map(|answer| usize::try_from(answer).unwrap_or(usize::MAX))
    }
}

impl Platform for AnyHost {
    fn write(&mut self, _: Sink, bytes: &[u8]) -> Result<usize, Fault> {
        assert!(
            !bytes.is_empty(),
            "nothing is no reason to leave the enclave"
        );
        self.count()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        assert!(
            !buffer.is_empty(),
            "nothing is no reason to leave the enclave"
        );
        self.count()
    }

    fn clock(&mut self, _: Clock) -> Result<u64, Fault> {
        self.answer()
    }

    fn wait(&mut self, _: u64, _: u64) -> Result<u64, Fault> {
        self.answer()
    }

    fn yield_now(&mut self) -> Result<(), Fault> {
        self.answer().map(|_| ())
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(1);
    }

    fn processor_report(&mut self, _: &TargetInfo, data: &[u8; 64]) -> Result<Report, Fault> {
        let mut report = Report::ZERO;
        report.body.report_data = *data;
        Ok(report)
    }

    fn quote_target(&mut self) -> Result<TargetInfo, Fault> {
        let mut target = TargetInfo::ZERO;
        target.reserved1[0] = self.0.byte().unwrap_or(0) & 1;
        Ok(target)
    }

    /// Mostly a quote, sometimes too short, sometimes too long.
    fn quote(&mut self, report: &Report) -> Result<Vec<u8>, Fault> {
        let len = 436_usize.saturating_add(self.count()?);
        let mut quote = Vec::from(3_u16.to_le_bytes());
        quote.resize(48, 0);
        quote.extend(report.body.to_bytes());
        quote.extend(u32::from(self.0.byte().unwrap_or(0)).to_le_bytes());
        quote.resize(len.min(70_000), 0);
        Ok(quote)
    }

    fn key(&mut self, _: &KeyRequest) -> Option<Zeroizing<[u8; 16]>> {
        self.0.byte().map(|byte| Zeroizing::new([byte; 16]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arbitrary bytes, the same every time (Marsaglia's xorshift64).
    fn arbitrary(mut state: u64, len: usize) -> Vec<u8> {
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        (0..len).map(next).collect()
    }

    #[test]
    fn any_bytes_are_strings_or_an_error() {
        for bytes in [
            &b""[..],
            b"\0",
            b"\0\0",
            b"A=\0B\0",
            b"A=1\0A=2\0",
            b"=\0",
            b"\xff\0",
            b"a",
        ] {
            strings(bytes);
        }
        for seed in 1..500 {
            strings(&arbitrary(seed, 40));
        }
    }

    #[test]
    fn any_calls_against_any_host_end_in_order() {
        for seed in 1..500 {
            calls(&arbitrary(seed, 400)).unwrap();
        }
        for bytes in [&[][..], &[0xff; 600], &[0; 600]] {
            calls(bytes).unwrap();
        }
    }
}
