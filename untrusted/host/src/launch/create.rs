//! Creating an enclave: the image's pages, and what makes this enclave another application than the next one.

use std::sync::Arc;

use sha2::{Digest as _, Sha512};
use twine_abi::layout::{
    ARENA_LEN, ARENA_OFFSET, HEAP_LEN_MAX, HEAP_OFFSET, PAGE_LEN, STACK_INITIAL_LEN, STACK_LEN_MAX,
    STACK_OFFSET, THREAD_COUNT, XFRM, thread_area,
};
use twine_abi::sgx::{AttributeFlags, Attributes, MiscSelect, Permissions, Secs, Sigstruct};

use crate::backend::{Backend, Enclave, Measure, PageRange};
use crate::error::Error;
use crate::image::Image;

/// What an enclave is created for. The processor fixes it at creation and puts it into every report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Configuration {
    /// CONFIGID: the SHA-512 of the launch document.
    pub id: [u8; 64],
    /// CONFIGSVN: the application's version, from the launch document.
    pub svn: u16,
    /// Whether debuggers get in.
    pub debugging: Debugging,
}

/// Whether an enclave's memory is open to debuggers (ATTRIBUTES.DEBUG).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Debugging {
    /// Nobody looks inside.
    #[default]
    Forbidden,
    /// Everybody may look inside: the enclave protects nothing, and tells the host why when it dies.
    Allowed,
}

impl Configuration {
    /// The configuration of an enclave for this launch document.
    #[must_use]
    pub fn of(document: &[u8], svn: u16, debugging: Debugging) -> Self {
        Self {
            id: Sha512::digest(document).into(),
            svn,
            debugging,
        }
    }
}

/// Creates an enclave from the image, and finishes it.
///
/// # Errors
/// [`Error::Backend`] if the platform refuses, for example because the SIGSTRUCT is not the image's.
pub fn create(
    backend: &dyn Backend,
    image: &Image,
    sigstruct: &Sigstruct,
    configuration: &Configuration,
) -> Result<Arc<dyn Enclave>, Error> {
    let mut build = backend.create(&secs(image, configuration))?;
    for run in image.runs() {
        build.add_pages(run.offset, &run.bytes, run.info, Measure::Contents)?;
    }
    for (pages, permissions) in rooms() {
        build.leave_room(pages, permissions)?;
    }
    Ok(build.initialise(sigstruct)?)
}

/// Where the image lets pages come into being: what exists of a stack grows down, the heap grows, and the arena holds
/// data and code.
fn rooms() -> impl Iterator<Item = (PageRange, Permissions)> {
    let stacks = (0..THREAD_COUNT).filter_map(thread_area).map(|area| {
        let len = STACK_LEN_MAX - STACK_INITIAL_LEN;
        (area + STACK_OFFSET, len, Permissions::RW)
    });
    let others = [
        (HEAP_OFFSET, HEAP_LEN_MAX, Permissions::RW),
        (ARENA_OFFSET, ARENA_LEN, Permissions::RWX),
    ];
    stacks.chain(others).map(|(offset, len, permissions)| {
        let count = len / PAGE_LEN;
        (PageRange { offset, count }, permissions)
    })
}

fn secs(image: &Image, configuration: &Configuration) -> Secs {
    let debug = match configuration.debugging {
        Debugging::Forbidden => AttributeFlags::EMPTY,
        Debugging::Allowed => AttributeFlags::DEBUG,
    };
    Secs {
        size: image.size(),
        ssa_frame_size: image.ssa_frame_pages(),
        misc_select: MiscSelect::EXINFO,
        attributes: Attributes {
            flags: AttributeFlags::MODE64BIT | AttributeFlags::KSS | debug,
            xfrm: XFRM,
        },
        config_id: configuration.id,
        config_svn: configuration.svn,
        ..Secs::ZERO
    }
}
