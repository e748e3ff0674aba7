//! Moving volumes from one image of the runtime to another: three tasks, and messages between the enclaves.

use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use twine_abi::exchange::launch_flag;
use twine_launch::LaunchDocument;

use super::create::Debugging;
use super::mounts::Mounts;
use super::run::{Backings, Wrap};
use super::task::Task;
use crate::error::Error;
use crate::owner::DocumentSignature;
use crate::runtime::Runtime;
use crate::serve::Services;

/// The move of an application's volumes, those with `runtime = "image"`, from an old image to a new one. The launch document
/// lists both images, in `migration.from` and `migration.to`, and stays the same.
///
/// The old image shuts itself out: afterwards only the new one opens them.
#[must_use = "no volume moves until `run`"]
pub struct Migration<'a> {
    old: &'a Runtime,
    new: &'a Runtime,
    document: &'a [u8],
    parsed: LaunchDocument,
    mounts: Mounts,
    signature: Option<DocumentSignature>,
    debugging: Debugging,
    wrap: Option<Rc<WrapStep>>,
}

/// Puts another host in front of the honest one of a step.
type WrapStep = dyn Fn(Step, Box<dyn Services>) -> Box<dyn Services>;

/// What an enclave does in a [`Migration`], in order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(hidden)]
pub enum Step {
    /// The new one offers.
    Offer,
    /// The old one hands over.
    HandOver,
    /// The new one takes over.
    TakeOver,
}

impl<'a> Migration<'a> {
    /// From `old` to `new`, both on one platform ([`RuntimeBuilder::beside`](crate::RuntimeBuilder::beside)), with this
    /// document, byte for byte.
    ///
    /// # Errors
    /// [`Error::BadDocument`] if it is not valid.
    pub fn new(old: &'a Runtime, new: &'a Runtime, document: &'a [u8]) -> Result<Self, Error> {
        Ok(Self {
            old,
            new,
            document,
            parsed: LaunchDocument::parse(document)?,
            mounts: Mounts::default(),
            signature: None,
            debugging: Debugging::Forbidden,
            wrap: None,
        })
    }

    /// The file of the volume that the document mounts at `guest`. Every volume that it mounts needs one.
    pub fn volume(mut self, guest: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.mounts.volume(guest.into(), file.into());
        self
    }

    /// The owner's signature of the launch document. It is needed if the document names an owner.
    pub const fn signature(mut self, signature: DocumentSignature) -> Self {
        self.signature = Some(signature);
        self
    }

    /// Moves the volumes of debug enclaves.
    pub fn debuggable(mut self) -> Self {
        self.debugging = Debugging::Allowed;
        self
    }

    /// Puts another host in front of the honest one: for tests that play a hostile operating system.
    #[doc(hidden)]
    pub fn services(
        mut self,
        wrap: impl Fn(Step, Box<dyn Services>) -> Box<dyn Services> + 'static,
    ) -> Self {
        self.wrap = Some(Rc::new(wrap));
        self
    }

    /// Moves the volumes, and waits until it is done. A move that fails half way can be begun anew: until the new image opens
    /// a volume, the old one does.
    ///
    /// # Errors
    /// [`Error::Refused`] if one of the two enclaves does not agree; those of opening files, and of creating and entering
    /// enclaves.
    pub fn run(self) -> Result<(), Error> {
        let old = self.old.mrenclave();
        let offer = self.step(Step::Offer, &old)?;
        let hand_over = self.step(Step::HandOver, &offer)?;
        self.step(Step::TakeOver, &hand_over).map(drop)
    }

    fn step(&self, step: Step, message: &[u8]) -> Result<Vec<u8>, Error> {
        let (runtime, flag) = match step {
            Step::Offer => (self.new, launch_flag::OFFER),
            Step::HandOver => (self.old, launch_flag::HAND_OVER),
            Step::TakeOver => (self.new, launch_flag::TAKE_OVER),
        };
        let backings = match step {
            Step::Offer => Backings::default(),
            Step::HandOver | Step::TakeOver => self.mounts.open_volumes(&self.parsed)?,
        };
        let task = Task {
            runtime,
            document: self.document,
            version: self.parsed.application.version,
            signature: self.signature,
            debugging: self.debugging,
        };
        let wrap = self
            .wrap
            .clone()
            .map(|wrap| -> Wrap { Box::new(move |services| wrap(step, services)) });
        task.run(flag, message, backings, wrap)
    }
}

impl fmt::Debug for Migration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration")
            .field("mounts", &self.mounts)
            .field("debugging", &self.debugging)
            .finish_non_exhaustive()
    }
}
