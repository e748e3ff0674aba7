//! What every call of the guest into WASI has in common: its surroundings, and how it ends.

use twine_abi::exchange::HostErrno;
use wasmtime::{Caller, Extern};

use crate::descriptors::NotOpen;
use crate::files;
use crate::halt::{Halt, sort};
use crate::platform::{Fault, Platform};
use crate::state::State;
use crate::wasi::memory::GuestMemory;
use crate::wasi::types::{Errno, SUCCESS};

/// One call: the guest's memory and everything else that belongs to the run.
pub(crate) struct Call<'a> {
    /// The guest's memory.
    pub(crate) memory: GuestMemory<'a>,
    /// The run.
    pub(crate) state: &'a mut State,
}

/// Why a call does not do as asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// The guest is told.
    Errno(Errno),
    /// The guest ends here.
    Halt(Halt),
}

/// The result of a call.
pub(crate) type Result<T = ()> = core::result::Result<T, Failure>;

impl Call<'_> {
    /// The world outside.
    pub(crate) fn platform(&mut self) -> &mut dyn Platform {
        &mut *self.state.platform
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<NotOpen> for Failure {
    fn from(_: NotOpen) -> Self {
        Self::Errno(Errno::Badf)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        sort(fault).map_or_else(Self::Halt, |errno: HostErrno| Self::Errno(errno.into()))
    }
}

impl From<files::Error> for Failure {
    fn from(error: files::Error) -> Self {
        use files::Error;
        Self::Errno(match error {
            Error::NotFound => Errno::Noent,
            Error::Exists => Errno::Exist,
            Error::NotADirectory => Errno::Notdir,
            Error::IsADirectory => Errno::Isdir,
            Error::NotEmpty => Errno::Notempty,
            Error::NameTooLong => Errno::Nametoolong,
            Error::NotUtf8 => Errno::Ilseq,
            Error::Loop => Errno::Loop,
            Error::Escapes => Errno::Notcapable,
            Error::Invalid => Errno::Inval,
            Error::Busy => Errno::Busy,
            Error::NoSpace => Errno::Nospc,
            Error::TooLarge => Errno::Fbig,
            Error::TooManyLinks => Errno::Mlink,
            Error::TooManyOpen => Errno::Nfile,
            Error::ReadOnly => Errno::Rofs,
            Error::Denied => Errno::Acces,
            Error::NotPermitted => Errno::Perm,
            Error::NotSupported => Errno::Notsup,
            Error::CrossDevice => Errno::Xdev,
            Error::NoMemory => Errno::Nomem,
            Error::Io => Errno::Io,
            Error::Fault(fault) => return fault.into(),
        })
    }
}

/// Runs `body` for a guest's call, and turns its result into what the engine passes on.
pub(crate) fn serve(
    mut caller: Caller<'_, State>,
    body: impl FnOnce(&mut Call<'_>) -> Result,
) -> wasmtime::Result<i32> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => {
            // Not before the first call: a start function can call before there is an instance to ask.
            let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                return Err(wasmtime::Error::new(Halt::NoMemory));
            };
            caller.data_mut().memory = Some(memory);
            memory
        }
    };
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    let mut call = Call {
        memory: GuestMemory::new(bytes),
        state,
    };
    match body(&mut call) {
        Ok(()) => Ok(SUCCESS),
        Err(Failure::Errno(errno)) => {
            if errno == Errno::Io {
                // All that the guest learns is the number; somebody has to be told the reason.
                call.state.report_troubles();
            }
            Ok(i32::from(errno as u16))
        }
        Err(Failure::Halt(halt)) => Err(wasmtime::Error::new(halt)),
    }
}

/// Defines calls of WASI in a linker: `define!(linker; name(argument: type, …), …)`, where a function of that name takes a
/// [`Call`] and the arguments.
macro_rules! define {
    ($linker:ident; $($name:ident($($argument:ident: $type:ty),*),)+) => {$(
        $linker.func_wrap(
            $crate::wasi::MODULE,
            stringify!($name),
            |caller: wasmtime::Caller<'_, $crate::state::State>, $($argument: $type),*| {
                $crate::wasi::call::serve(caller, |call| $name(call, $($argument),*))
            },
        )?;
    )+};
}
pub(crate) use define;
