//! Everything that belongs to one run beside the engine's own things.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use wasmtime::Memory;

use crate::attestation::Subject;
use crate::clocks::Clocks;
use crate::descriptors::Descriptors;
use crate::files::Mounts;
use crate::limiter::Limiter;
use crate::platform::Platform;

/// What the guest's calls work on.
pub(crate) struct State {
    /// The world outside.
    pub(crate) platform: Box<dyn Platform>,
    /// Whom the enclave vouches for.
    pub(crate) subject: Subject,
    /// What has been seen of the host's clocks.
    pub(crate) clocks: Clocks,
    /// What is open.
    pub(crate) descriptors: Descriptors,
    /// What is mounted.
    pub(crate) mounts: Mounts,
    /// The guest's arguments.
    pub(crate) arguments: Vec<String>,
    /// The guest's environment, `NAME=value`.
    pub(crate) environment: Vec<String>,
    /// What the guest may still have.
    pub(crate) limiter: Limiter,
    /// The guest's memory, once a call has looked it up.
    pub(crate) memory: Option<Memory>,
}

impl State {
    /// Tells the outside world what went wrong with files.
    pub(crate) fn report_troubles(&mut self) {
        for trouble in self.mounts.troubles() {
            self.platform.report(&trouble);
        }
    }

    /// Closes every descriptor and every file system, at the end of a guest that ended by itself.
    pub(crate) fn close_files(&mut self) {
        for file in self.descriptors.close_all() {
            self.mounts.release(file);
        }
        for trouble in self.mounts.close() {
            self.platform.report(&trouble);
        }
    }

    /// Forgets every descriptor and every file system, at the end of a guest that did not end by itself.
    pub(crate) fn drop_files(&mut self) {
        self.report_troubles();
        self.descriptors.close_all().for_each(drop);
        self.mounts = Mounts::default();
    }
}
