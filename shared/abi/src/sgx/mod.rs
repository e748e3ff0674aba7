//! The processor's structures, by the offsets of the manual.
//!
//! "The manual" is Intel's Software Developer's Manual, volume 3D, chapters "Enclave Operation" to "SGX Instruction
//! References" (edition 325462-083). Names are the manual's, spelled the Rust way.
//!
//! | module | structures |
//! |---|---|
//! | [`page`] | SECINFO, PAGEINFO, page types and permissions |
//! | [`control`] | SECS, TCS, ATTRIBUTES, MISCSELECT |
//! | [`report`] | REPORT, TARGETINFO |
//! | [`key`] | KEYREQUEST, key names and policies |
//! | [`sigstruct`] | SIGSTRUCT |
//! | [`frame`] | the state save area: GPRSGX, EXITINFO, EXINFO |
//! | [`leaf`] | leaf numbers of ENCLS and ENCLU, error codes, exception vectors |
//!
//! Every structure is plain data without hidden padding. Its position in memory and its byte image agree: the compiler
//! checks size, alignment and the offset of each field against the manual's table. Where the manual asks for a larger
//! alignment than the length allows, [`Align16`], [`Align128`] and [`Align512`] supply it; a page's alignment is up to
//! whoever has the page (see [`control`]).

#[macro_use]
mod wire;

pub mod control;
pub mod frame;
pub mod key;
pub mod leaf;
pub mod page;
pub mod report;
pub mod sigstruct;

pub use control::{AttributeFlags, Attributes, MiscSelect, Secs, Tcs, TcsFlags};
pub use frame::{ExInfo, ExitInfo, ExitKind, FaultCode, GprSgx};
pub use key::{KeyName, KeyPolicy, KeyRequest};
pub use leaf::{Encls, Enclu, ErrorCode, vector};
pub use page::{PageInfo, PageKind, Permissions, SecInfo, SecInfoFlags};
pub use report::{Report, ReportBody, TargetInfo};
pub use sigstruct::Sigstruct;

/// A value at an address that is a multiple of 16: the key that EGETKEY writes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C, align(16))]
pub struct Align16<T>(pub T);

/// A value at an address that is a multiple of 128: the report data that EREPORT reads.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C, align(128))]
pub struct Align128<T>(pub T);

/// A value at an address that is a multiple of 512: the report that EREPORT writes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C, align(512))]
pub struct Align512<T>(pub T);

/// A SHA-256 digest: MRENCLAVE, MRSIGNER.
pub type Digest = [u8; 32];
