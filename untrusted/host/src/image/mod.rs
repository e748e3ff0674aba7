#![doc = include_str!("../../../../docs/image.md")]

use std::io::{self, Write};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use twine_abi::layout::{ENCLAVE_LEN, SSA_FRAME_PAGES};
use twine_abi::sgx::{Digest, PageKind};

mod elf;
#[doc(hidden)]
pub mod fuzzing;
mod pages;
mod sgxs;
#[cfg(test)]
mod tests;
mod thread;

use elf::Elf;
pub use elf::{ElfError, RelocationRule, SegmentRule};
use pages::Pages;
pub use pages::{PageRule, Run};
pub use sgxs::{SgxsError, SgxsRule};

/// A complete enclave before it exists: its pages, and nothing that depends on the machine or the launch.
#[derive(Debug)]
pub struct Image {
    pages: Pages,
    mrenclave: OnceLock<Digest>,
}

impl Image {
    /// Lays out the enclave of Twine's own runtime: the segments of `file`, then the threads.
    ///
    /// # Errors
    /// [`ElfError`] if the file is not a program that can live in an enclave. The file is to blame.
    pub fn from_elf(file: &[u8]) -> Result<Self, ElfError> {
        let elf = Elf::parse(file)?;
        let mut pages = Pages::new(ENCLAVE_LEN, SSA_FRAME_PAGES);
        for segment in &elf.segments {
            pages.add(segment.first_page(), segment.info(), segment.contents())?;
        }
        thread::add_all(&mut pages, elf.entry)?;
        Ok(Self::new(pages))
    }

    /// Reads an enclave from canonical SGXS. It need not be one of Twine's.
    ///
    /// # Errors
    /// [`SgxsError`] if the stream is not canonical: a second stream could then mean the same enclave, and the hash of
    /// the file would not be its identity.
    pub fn from_sgxs(stream: &[u8]) -> Result<Self, SgxsError> {
        sgxs::read(stream).map(Self::new)
    }

    fn new(pages: Pages) -> Self {
        Self {
            pages,
            mrenclave: OnceLock::new(),
        }
    }

    /// The same with its measurement already known.
    #[cfg(feature = "bundled-image")]
    pub(crate) fn with_mrenclave(self, mrenclave: Digest) -> Self {
        Self {
            mrenclave: mrenclave.into(),
            ..self
        }
    }

    /// Length of the enclave's address range in bytes (SECS.SIZE), a power of two.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.pages.size()
    }

    /// Pages in one SSA frame (SECS.SSAFRAMESIZE).
    #[must_use]
    pub const fn ssa_frame_pages(&self) -> u32 {
        self.pages.ssa_frame_pages()
    }

    /// The pages by rising offset. All of them are measured with their contents.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        self.pages.runs()
    }

    /// The offsets of the TCS pages from the enclave's base, in the order of the threads.
    pub fn threads(&self) -> impl Iterator<Item = u64> {
        let is_thread = |run: &&Run| run.info.kind() == Ok(PageKind::Tcs);
        self.runs()
            .iter()
            .filter(is_thread)
            .flat_map(Run::pages)
            .map(|(offset, _)| offset)
    }

    /// What EINIT will find the enclave's measurement to be. Computed once.
    #[must_use]
    pub fn mrenclave(&self) -> Digest {
        *self.mrenclave.get_or_init(|| {
            let mut hash = Sha256::new();
            // The hash function takes whatever it is given.
            let Ok(()) = sgxs::write(&self.pages, |bytes| {
                hash.update(bytes);
                Ok::<(), std::convert::Infallible>(())
            });
            hash.finalize().into()
        })
    }

    /// Writes the enclave as canonical SGXS. The SHA-256 of what is written is [`Image::mrenclave`].
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_sgxs(&self, mut out: impl Write) -> io::Result<()> {
        sgxs::write(&self.pages, |bytes| out.write_all(bytes))
    }
}
