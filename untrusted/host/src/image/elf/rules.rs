//! The rules that an ELF file must keep to become an enclave, each with its sentence.

use twine_abi::layout::IMAGE_LEN_MAX;

use crate::image::PageRule;

/// Why a file cannot become an enclave. It is always the file's fault.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// Not an ELF file, or one that is cut short or contradicts itself.
    #[error("not a complete 64-bit little-endian ELF file: {0}")]
    Malformed(&'static str),
    /// For another machine, or not position-independent.
    #[error("not a position-independent x86-64 executable (type {kind}, machine {machine})")]
    WrongKind {
        /// `e_type`.
        kind: u16,
        /// `e_machine`.
        machine: u16,
    },
    /// A program header that asks for something that nobody inside would do.
    #[error("segment {index} has type {kind:#x} ({name}), which an enclave cannot have")]
    SegmentKind {
        /// Its place in the program header table.
        index: usize,
        /// `p_type`.
        kind: u32,
        /// The type's name.
        name: &'static str,
    },
    /// A loadable segment breaks a rule.
    #[error("segment {index}: {rule}")]
    Segment {
        /// Its place in the program header table.
        index: usize,
        /// The broken rule.
        rule: SegmentRule,
    },
    /// There is nothing to load.
    #[error("no loadable segment")]
    Empty,
    /// The entry point is not code.
    #[error("the entry point {0:#x} does not lie in an executable segment")]
    Entry(u64),
    /// The dynamic section asks for something that nobody inside would do.
    #[error("dynamic entry {tag:#x} ({name}) is not possible in an enclave")]
    Dynamic {
        /// `d_tag`.
        tag: i64,
        /// The tag's name.
        name: &'static str,
    },
    /// A relocation that is not "base plus constant", or does not hit writable memory.
    #[error("relocation {index} at {offset:#x}: {rule}")]
    Relocation {
        /// Its place in the relocation table.
        index: usize,
        /// `r_offset`.
        offset: u64,
        /// The broken rule.
        rule: RelocationRule,
    },
    /// The segments collide with the threads' areas, or are not pages. The rules above exclude it.
    #[error(transparent)]
    Page(#[from] PageRule),
    /// A symbol that nobody defines.
    #[error("undefined symbol `{0}`")]
    Undefined(String),
}

/// What a loadable segment must satisfy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentRule {
    /// Writable and executable.
    #[error("it is writable and executable")]
    WritableCode,
    /// Not readable.
    #[error("it is not readable")]
    Unreadable,
    /// Longer in the file than in memory, or beyond the file's end.
    #[error("its bytes do not lie in the file")]
    Bytes,
    /// Beyond [`IMAGE_LEN_MAX`].
    #[error("it reaches beyond the {IMAGE_LEN_MAX} bytes reserved for the image")]
    TooLong,
    /// The first segment does not start at zero, in memory or in the file.
    #[error("the first segment must start at address 0 and at the file's first byte")]
    NotAtZero,
    /// The first segment does not hold the program headers.
    #[error("the first segment does not hold the program headers, which the image reads")]
    NoHeaders,
    /// It shares a page with its predecessor, or lies before it.
    #[error("it shares a page with the segment before it, or lies below it")]
    Overlap,
    /// PT_GNU_RELRO covers a part of a page, or memory that is not writable.
    #[error("the range to be sealed after relocation is not whole pages of one writable segment")]
    Seal,
}

/// What a relocation must satisfy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RelocationRule {
    /// Not R_X86_64_RELATIVE.
    #[error("its type {0} is not R_X86_64_RELATIVE")]
    Kind(u32),
    /// The target is misaligned or not in a writable segment.
    #[error("its target is not an aligned word of a writable segment")]
    Target,
    /// The value points out of the image.
    #[error("its value {0:#x} lies outside the image")]
    Value(u64),
}

impl SegmentRule {
    pub(crate) fn of(self, index: usize) -> ElfError {
        ElfError::Segment { index, rule: self }
    }
}
