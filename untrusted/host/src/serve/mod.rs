//! Host calls: what the enclave asks of this process, and nothing else it can reach.
//!
//! ```text
//!   Thread ──► Services::serve ──► Host ──► console   standard streams
//!                 (the seam)          ├───► clock
//!                                     ├───► mounted   files of volumes, unprotected directories
//!                                     ├───► pages     to the backend
//!                                     ├───► provision to a provisioner
//!                                     ├───► quote     to AESM, or whoever makes quotes here
//!                                     └───► log       the enclave's last words, debug launches only
//! ```
//!
//! The enclave is not believed either: whatever numbers it passes, a call is answered or refused, never a panic.
//! [`Services`] is the seam where tests put a host that lies.

mod clock;
mod console;
mod descriptor;
mod directory;
mod errno;
mod log;
mod map;
mod pages;
mod provision;
mod quote;
mod store;
mod stream;

pub use self::console::Console;
pub use self::directory::HostDirectory;
pub use self::log::Log;
pub use self::provision::{Failure, Provisioning};
pub use self::store::{FileAccess, VolumeFile};
pub use self::stream::{Capture, Input, Output};

use std::collections::BTreeMap;
use std::sync::Arc;

use twine_abi::exchange::{Header, HostCall, HostErrno};

use crate::backend::Enclave;
use crate::quote::QuoteSource;

/// Answers host calls.
pub trait Services {
    /// Answers the call in `header`, whose bytes are in, or go to, `payload` (of
    /// [`twine_abi::exchange::PAYLOAD_LEN`] bytes). The answer is negative for an error: a [`HostErrno`], negated.
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64;
}

/// The honest host.
pub struct Host {
    console: Console,
    enclave: Arc<dyn Enclave>,
    log: Log,
    mounted: BTreeMap<u64, Mounted>,
    provisioning: Provisioning,
    quotes: Option<Arc<dyn QuoteSource>>,
}

/// What stands behind a mount.
#[derive(Debug)]
pub enum Mounted {
    /// The file of a protected volume.
    Volume(VolumeFile),
    /// An unprotected directory.
    Directory(HostDirectory),
}

impl Host {
    /// Serves `enclave` with these streams.
    #[must_use]
    pub fn new(console: Console, enclave: Arc<dyn Enclave>, log: Log) -> Self {
        Self {
            console,
            enclave,
            log,
            mounted: BTreeMap::new(),
            provisioning: Provisioning::default(),
            quotes: None,
        }
    }

    /// What stands behind the mounts of the launch document, by their positions in it.
    #[must_use]
    pub fn mounted(mut self, mounted: BTreeMap<u64, Mounted>) -> Self {
        self.mounted = mounted;
        self
    }

    /// Who brings bundles, if the launch document asks for one.
    #[must_use]
    pub fn provisioning(mut self, provisioning: Provisioning) -> Self {
        self.provisioning = provisioning;
        self
    }

    /// Where quotes come from, if from anywhere.
    #[must_use]
    pub fn quotes(mut self, source: Option<Arc<dyn QuoteSource>>) -> Self {
        self.quotes = source;
        self
    }

    fn dispatch(&mut self, header: &Header, payload: &mut [u8]) -> Result<u64, HostErrno> {
        let [first, second, third, fourth, fifth, _] = header.args;
        let rest = [second, third, fourth, fifth];
        let call = HostCall::try_from(header.op).map_err(|_| HostErrno::Invalid)?;
        match call {
            HostCall::ConsoleWrite => self.console.write(first, prefix(payload, second)?),
            HostCall::ConsoleRead => self.console.read(prefix(payload, first)?),
            HostCall::ClockRead => {
                self.console.go_on()?;
                clock::read(first)
            }
            HostCall::Wait => self.console.wait(first, second),
            HostCall::Yield => {
                self.console.go_on()?;
                rustix::thread::sched_yield();
                Ok(0)
            }
            HostCall::PageRestrict => pages::restrict(&*self.enclave, first, second, third),
            HostCall::PageTrim => pages::trim(&*self.enclave, first, second),
            HostCall::PageRemove => pages::remove(&*self.enclave, first, second),
            HostCall::PageAdd => pages::add(&*self.enclave, first, second),
            HostCall::Log => {
                self.log.add(prefix(payload, first)?);
                Ok(0)
            }
            HostCall::Report => {
                log::report(prefix(payload, first)?);
                Ok(0)
            }
            HostCall::Provision => self.provisioning.serve(payload, first),
            HostCall::QuoteTarget => quote::target(self.quoting()?, payload),
            HostCall::Quote => quote::quote(self.quoting()?, payload),
            _ => match self.mounted.get_mut(&first).ok_or(HostErrno::Invalid)? {
                Mounted::Volume(file) => file.serve(call, rest, payload),
                Mounted::Directory(directory) => directory.serve(call, rest, payload),
            },
        }
    }
}

impl Host {
    fn quoting(&self) -> Result<&dyn QuoteSource, HostErrno> {
        self.quotes.as_deref().ok_or(HostErrno::NotSupported)
    }
}

impl Services for Host {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        match self.dispatch(header, payload) {
            Ok(answer) => i64::try_from(answer).unwrap_or(i64::MAX),
            Err(errno) => -(errno as i64),
        }
    }
}

/// The first `len` bytes of a payload.
fn prefix(payload: &mut [u8], len: u64) -> Result<&mut [u8], HostErrno> {
    usize::try_from(len)
        .ok()
        .and_then(|len| payload.get_mut(..len))
        .ok_or(HostErrno::Invalid)
}

#[cfg(test)]
mod tests;
