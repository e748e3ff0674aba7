//! A model of the Linux driver and its vDSO function, behind the same seam as the kernel, for tests.
//!
//! It refuses what the driver refuses, with the driver's error numbers, and writes down every rule that was broken, also those
//! whose breach the kernel would let pass for a while. What it accepts it hands to the emulator, so that the backend's
//! whole path runs programs. Signals, full queues and requests that end early can be injected.
//!
//! The rules are those of Linux 6.x (`arch/x86/kernel/cpu/sgx`, `Documentation/arch/x86/sgx.rst`, `vsgx.S`), read and put
//! in our words. Not modelled: swapping (EWB), other processes, `fork`, the provisioning key, virtual EPC.
//!
//! | module | owns |
//! |---|---|
//! | this one | the device, the record of broken rules |
//! | `file` | one open file: the requests and their order |
//! | `building`, `managing` | the requests before and after EINIT |
//! | `moods` | what is injected |
//! | `user` | the caller's memory, as the kernel reads it |
//! | `vdso` | the function that enters |
//!
//! No user of the library comes here by accident: nothing chooses a model but code that names it.

mod building;
mod file;
mod managing;
mod moods;
mod user;
pub(super) mod vdso;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::explain::Explain;
use super::seam::{EntryFunction, SgxDevice, SgxFile};
use super::{Device, Machine};
use crate::backend::emulator::{Emulator, EmulatorConfig};
use crate::backend::{Backend as _, BackendError, BackendKind};
use crate::quote::QuoteSource;

pub use moods::Mood;

/// A modelled driver. It counts as an emulator: it protects nothing.
#[derive(Debug)]
pub struct Model {
    emulator: Arc<Emulator>,
    world: Arc<World>,
}

impl Model {
    /// A driver over an emulated processor, in this mood.
    ///
    /// # Errors
    /// Those of [`Emulator::new`].
    pub fn new(config: EmulatorConfig, mood: Mood) -> Result<Self, BackendError> {
        Ok(Self {
            emulator: Arc::new(Emulator::new(config)?),
            world: Arc::new(World {
                moods: Mutex::new(moods::Dice::new(mood)),
                ..World::default()
            }),
        })
    }

    /// Where broken rules are written down.
    #[must_use]
    pub fn record(&self) -> Record {
        Record(Arc::clone(&self.world))
    }

    /// The device backend over this driver.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn into_device(self) -> Result<Device, BackendError> {
        Device::over(Arc::new(self), Explain::of(Machine::detect))
    }
}

impl SgxDevice for Model {
    fn kind(&self) -> BackendKind {
        BackendKind::Emulator
    }

    fn open(&self) -> io::Result<Box<dyn SgxFile>> {
        self.world.mood(moods::Moment::Open)?;
        Ok(Box::new(file::File::new(
            Arc::clone(&self.emulator),
            Arc::clone(&self.world),
        )))
    }

    fn quotes(&self) -> Arc<dyn QuoteSource> {
        self.emulator.quotes()
    }

    fn entry(&self) -> io::Result<EntryFunction> {
        Ok(vdso::entry())
    }
}

/// The rules that have been broken, in order.
#[derive(Clone, Debug)]
pub struct Record(Arc<World>);

impl Record {
    /// All of them so far.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.0.lock(&self.0.violations).clone()
    }

    /// How many events have been injected so far.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.0.lock(&self.0.moods).injected()
    }
}

/// What all files of a modelled driver share.
#[derive(Debug, Default)]
pub(super) struct World {
    violations: Mutex<Vec<String>>,
    moods: Mutex<moods::Dice>,
    /// A folder that counts as mounted `noexec`, besides those that are.
    noexec: Mutex<Option<PathBuf>>,
    /// Whether the machine counts as one without SGX2.
    without_sgx2: Mutex<bool>,
}

impl World {
    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> std::sync::MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down a broken rule.
    fn note(&self, rule: impl Into<String>) {
        self.lock(&self.violations).push(rule.into());
    }

    /// Passes if the rule holds, else notes it and fails with the error number.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "the condition reads as the rule that follows it"
    )]
    fn demand(&self, holds: bool, number: i32, rule: &str) -> io::Result<()> {
        if holds {
            Ok(())
        } else {
            self.note(rule);
            Err(errno(number))
        }
    }

    /// Fails if something is to be injected at this moment.
    fn mood(&self, moment: moods::Moment) -> io::Result<()> {
        match self.lock(&self.moods).roll(moment) {
            Some(number) => Err(errno(number)),
            None => Ok(()),
        }
    }
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// Bytes in a page.
const PAGE: usize = 4096;
