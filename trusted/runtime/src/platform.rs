//! The world outside, as one small trait. Files are not in it: they have their own ([`FileSystem`]).
//!
//! In the enclave every method but one is a host call, so what comes back is a claim: whoever calls checks that counts
//! and sets fit what was asked (`streams`) and that time does not run backwards
//! (`clocks`). Tests implement the trait natively, honestly or not.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use twine_abi::exchange::{Clock, HostErrno};
use twine_abi::sgx::{KeyRequest, Report, TargetInfo};
use zeroize::Zeroizing;

use crate::files::FileSystem;

/// What the runtime needs from the world outside.
pub trait Platform {
    /// Writes bytes to an output stream and returns how many were taken. `bytes` is not empty and not longer than
    /// [`IO_LEN_BYTES_MAX`](crate::limits::IO_LEN_BYTES_MAX).
    ///
    /// # Errors
    /// A [`Fault`].
    fn write(&mut self, sink: Sink, bytes: &[u8]) -> Result<usize, Fault>;

    /// Reads standard input into `buffer` and returns how many bytes came; zero is the end of the input. `buffer` is
    /// not empty and not longer than [`IO_LEN_BYTES_MAX`](crate::limits::IO_LEN_BYTES_MAX). Waits if nothing is there.
    ///
    /// # Errors
    /// A [`Fault`].
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault>;

    /// Reads a clock, in nanoseconds.
    ///
    /// # Errors
    /// A [`Fault`].
    fn clock(&mut self, clock: Clock) -> Result<u64, Fault>;

    /// Waits until one of `interests` ([`twine_abi::exchange::interest`]) is ready or `timeout` nanoseconds have gone
    /// by ([`WAIT_FOREVER`](twine_abi::exchange::WAIT_FOREVER): no limit), and returns those that are ready. May return
    /// early with none.
    ///
    /// # Errors
    /// A [`Fault`].
    fn wait(&mut self, timeout: u64, interests: u64) -> Result<u64, Fault>;

    /// Lets other threads run.
    ///
    /// # Errors
    /// A [`Fault`].
    fn yield_now(&mut self) -> Result<(), Fault>;

    /// Fills `buffer` with bytes fit for keys. Never from the host; does not return without them.
    fn random(&mut self, buffer: &mut [u8]);

    /// Tells whoever runs the guest, but not the guest, why files cannot be used: one sentence that names who is to blame.
    /// Whoever implements nothing keeps it to itself.
    fn report(&mut self, _trouble: &str) {}

    /// Randomness and the time of day, for file systems. A platform without volumes need not have it: there, it is always
    /// 1970.
    fn services(&mut self) -> Box<dyn twine_fs::Platform> {
        Box::new(NoServices)
    }

    /// Opens the volume file behind a mount, by the mount's position in the launch document. A platform without volumes
    /// need not have it.
    ///
    /// # Errors
    /// A [`Fault`].
    fn open_store(&mut self, mount: usize) -> Result<OpenStore, Fault> {
        let _ = mount;
        Err(Fault::Host(HostErrno::Invalid))
    }

    /// Brings a request to the provisioner, and the bundle back: a claim like everything from outside. The request has at
    /// most [`REQUEST_LEN_BYTES_MAX`](crate::limits::REQUEST_LEN_BYTES_MAX) bytes. A platform without provisioners need
    /// not have it.
    ///
    /// # Errors
    /// A [`Fault`].
    fn provision(&mut self, request: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let _ = request;
        Err(Fault::Host(HostErrno::NotFound))
    }

    /// A key of the processor's (EGETKEY), or `None` if it refuses: the request names a version higher than the enclave's
    /// or the processor's. A platform without such keys need not have it.
    fn key(&mut self, request: &KeyRequest) -> Option<Zeroizing<[u8; 16]>> {
        let _ = request;
        None
    }

    /// A report by the processor about this enclave, for the enclave `target` of its machine (EREPORT). The reserved bytes of
    /// `target` are zero. A platform without a processor that reports need not have it.
    ///
    /// # Errors
    /// A [`Fault`].
    fn processor_report(&mut self, target: &TargetInfo, data: &[u8; 64]) -> Result<Report, Fault> {
        let _ = (target, data);
        Err(Fault::Host(HostErrno::NotSupported))
    }

    /// The quoting enclave of this machine, as the host says. A platform without one need not have it, nor what follows.
    ///
    /// # Errors
    /// A [`Fault`].
    fn quote_target(&mut self) -> Result<TargetInfo, Fault> {
        Err(Fault::Host(HostErrno::NotSupported))
    }

    /// Has the quoting enclave turn a report that was made for it into a quote, as the host says.
    ///
    /// # Errors
    /// A [`Fault`].
    fn quote(&mut self, report: &Report) -> Result<Vec<u8>, Fault> {
        let _ = report;
        Err(Fault::Host(HostErrno::NotSupported))
    }

    /// Gives evidence to whoever asked for it outside.
    ///
    /// # Errors
    /// A [`Fault`].
    fn hand_over(&mut self, evidence: &[u8]) -> Result<(), Fault> {
        let _ = evidence;
        Err(Fault::Host(HostErrno::NotSupported))
    }

    /// The directory of the host behind a mount, unprotected, by the mount's position in the launch document. A platform
    /// without them need not have it.
    ///
    /// # Errors
    /// A [`Fault`].
    fn open_directory(&mut self, mount: usize) -> Result<Box<dyn FileSystem>, Fault> {
        let _ = mount;
        Err(Fault::Host(HostErrno::Invalid))
    }
}

/// No randomness, and no time.
struct NoServices;

impl twine_fs::Platform for NoServices {
    fn random(&self, _: &mut [u8]) -> twine_fs::Result<()> {
        Err(twine_fs::Error::Entropy)
    }

    fn now(&self) -> u64 {
        0
    }
}

/// A volume's file, as the host gives it.
pub struct OpenStore {
    /// Its blocks.
    pub store: Box<dyn twine_fs::Store>,
    /// Whether the host says that it made the file just now.
    pub made: bool,
}

impl fmt::Debug for OpenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStore")
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}

/// An output stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sink {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Why the world outside did not do as asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The host says why. The guest learns of it as an errno, except [`HostErrno::Interrupted`], which stops the guest.
    Host(HostErrno),
    /// The host broke the rules of a call; the rule. Ends the run: nothing it says afterwards is worth hearing.
    Misbehaved(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(errno) => write!(f, "the host says {errno:?}"),
            Self::Misbehaved(rule) => write!(f, "the host broke a rule: {rule}"),
        }
    }
}
