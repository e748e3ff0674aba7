//! The exchange area: the one piece of host memory that calls travel through, and the calls. The [crate] documentation
//! has the tables.
//!
//! A negative answer is a [`HostErrno`], negated; the enclave treats an unknown one as [`HostErrno::Io`].

pub mod file;
pub mod store;

/// Bytes of an exchange area.
pub const EXCHANGE_LEN: usize = HEADER_LEN + PAYLOAD_LEN;

/// Bytes before the payload.
pub const HEADER_LEN: usize = 64;

/// Bytes of the payload: one host call moves at most so much.
pub const PAYLOAD_LEN: usize = 64 << 10;

/// Offset of `args` in the exchange area.
pub const ARGS_OFFSET: usize = 8;

/// Number of integers in `args`.
pub const ARGS_COUNT: usize = 6;

/// Offset of `ret` in the exchange area.
pub const RET_OFFSET: usize = 56;

/// The head of an exchange area.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Header {
    /// A [`HostCall`] number.
    pub op: u32,
    /// Zero.
    pub reserved: u32,
    /// Arguments; unused ones are zero.
    pub args: [u64; ARGS_COUNT],
    /// The host's answer.
    pub ret: i64,
}

const _: () = {
    assert!(size_of::<Header>() == HEADER_LEN);
    assert!(core::mem::offset_of!(Header, args) == ARGS_OFFSET);
    assert!(core::mem::offset_of!(Header, ret) == RET_OFFSET);
    assert!(EXCHANGE_LEN.is_multiple_of(8));
};

/// What the enclave asks of its host. Numbers are never reused.
///
/// 21 to 31 are kept for the block store, 32 to 47 for sockets, 48 to 63 for quotes; 64 to 95 are files of the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum HostCall {
    /// Write `args[1]` bytes of payload to standard output (`args[0]` = 1) or standard error (2). Answer: how many
    /// bytes were taken, at most as many as were offered.
    ConsoleWrite = 1,
    /// Read at most `args[0]` bytes of standard input into the payload. Answer: how many; zero is the end of the input.
    ConsoleRead = 2,
    /// A [`Clock`] (`args[0]`). Answer: nanoseconds.
    ClockRead = 3,
    /// Wait until one of the [`interest`]s in `args[1]` is ready, or `args[0]` nanoseconds have gone by ([`WAIT_FOREVER`]:
    /// no limit). Answer: the set of those that are ready, zero after the time.
    Wait = 4,
    /// Let other threads run. Answer: zero.
    Yield = 5,
    /// Restrict the pages in `args[0]` (offset from the base) to `args[0] + args[1]` to the permissions `args[2]`
    /// (EMODPR). The enclave confirms each with EACCEPT. Answer: zero.
    PageRestrict = 6,
    /// Turn the pages from `args[0]` to `args[0] + args[1]` into TRIM pages (EMODT). Answer: zero.
    PageTrim = 7,
    /// Remove trimmed and accepted pages from `args[0]` to `args[0] + args[1]` (EREMOVE). Answer: zero.
    PageRemove = 8,
    /// The enclave writes to standard error on its own behalf: `args[0]` bytes of payload, UTF-8. Debug launches only.
    Log = 9,
    /// The enclave tells whoever runs the guest, but not the guest, what went wrong with files and who is to blame:
    /// `args[0]` bytes of payload, UTF-8. Answer: zero.
    Report = 10,
    /// The pages from `args[0]` to `args[0] + args[1]` will be accepted next: add those that are not there (EAUG), so that
    /// the enclave need not fault for each. A hint, which may be ignored. Answer: zero.
    PageAdd = 11,
    /// Open what stands behind mount `args[0]` (position in the launch document), a volume. Answer: 1 if it was made just
    /// now, else 0; the payload holds [`store::Spans`].
    StoreOpen = 16,
    /// Read the blocks of store `args[0]` from `args[1]` on, `args[2]` of them (at most [`store::READ_BLOCKS_MAX`]), into the
    /// payload. For hosts without a map. Answer: their length in bytes.
    StoreRead = 17,
    /// Write to store `args[0]`. The payload holds `args[1]` [`store::BlockRange`]s, whose blocks lie one after the other at the
    /// start of the staging area. With `args[2]` = 1 everything written so far is durable afterwards. Answer: zero.
    StoreWrite = 18,
    /// Answer: the number of whole blocks in store `args[0]`.
    StoreSize = 19,
    /// Make store `args[0]` `args[1]` blocks long, with space set aside for all of them. Answer: zero.
    StoreResize = 20,
    /// The [`crate::sgx::TargetInfo`] of the machine's quoting enclave, into the payload. Answer: zero.
    QuoteTarget = 48,
    /// Have the [`crate::sgx::Report`] in the payload, made for the quoting enclave, turned into a quote. Answer: the length
    /// of the quote, which is in the payload.
    Quote = 49,
    /// Bring the provisioning request in the payload (`args[0]` bytes) to the provisioner and wait for the bundle. Answer: zero;
    /// the payload holds the bundle's [`Span`], which stays valid until the call of the enclave ends.
    Provision = 50,
    /// Hand over the evidence in the payload (`args[0]` bytes) to whoever asked for it. Answer: zero.
    Evidence = 51,
    /// In the host directory of mount `args[0]`: find the name in the payload (`args[2]` bytes) in directory `args[1]`;
    /// a link is not followed. Answer: a node, held once more; the payload holds its [`file::Status`].
    FileLookup = 64,
    /// Give up a node (`args[1]`) that was held once. Answer: zero.
    FileRelease = 65,
    /// Make sure that node `args[1]` may be used for [`file::access`] `args[2]`. Answer: zero.
    FileOpen = 66,
    /// Create a file in directory `args[1]`, named as the payload (`args[2]` bytes) says. Answer: its node, held.
    FileCreate = 67,
    /// Create a directory in directory `args[1]`, named as the payload (`args[2]` bytes) says. Answer: zero.
    FileCreateDirectory = 68,
    /// Create a symbolic link in directory `args[1]`; the payload holds its name (`args[2]` bytes) and its target (`args[3]`
    /// bytes). Answer: zero.
    FileCreateLink = 69,
    /// Give node `args[1]` another name, in directory `args[2]`; the name is in the payload (`args[3]` bytes). Answer: zero.
    FileLink = 70,
    /// Remove the name in the payload (`args[2]` bytes) from directory `args[1]`: that of an empty directory with `args[3]` =
    /// 1, else that of anything but a directory. Answer: zero.
    FileRemove = 71,
    /// Rename: from directory `args[1]` to directory `args[2]`; the payload holds the old name (`args[3]` bytes) and the new
    /// one (`args[4]` bytes). Answer: zero.
    FileRename = 72,
    /// Answer: the length of the target of link `args[1]`, which is in the payload.
    FileReadLink = 73,
    /// The [`file::Status`] of node `args[1]`, into the payload. Answer: zero.
    FileStatus = 74,
    /// Set the times of node `args[1]`: accessed `args[2]`, modified `args[3]`, nanoseconds since 1970 or
    /// [`file::TIME_UNCHANGED`]. Answer: zero.
    FileSetTimes = 75,
    /// Make file `args[1]` `args[2]` bytes long. Answer: zero.
    FileSetSize = 76,
    /// Set space aside in file `args[1]`, from `args[2]` on, for `args[3]` bytes. Answer: zero.
    FileAllocate = 77,
    /// Read at most `args[3]` bytes of file `args[1]` from `args[2]` on into the payload. Answer: how many; zero is the end.
    FileRead = 78,
    /// Write `args[3]` bytes of payload to file `args[1]` from `args[2]` on. Answer: how many were taken.
    FileWrite = 79,
    /// Read entries of directory `args[1]` from cookie `args[2]` on, at most `args[3]`, into the payload, each as a
    /// [`file::Entry`] and its name. Answer: their length in bytes; zero is the end.
    FileReadDirectory = 80,
    /// Make node `args[1]` durable: with `args[2]` = 1 all attributes, else what is needed to read it. Answer: zero.
    FileSync = 81,
}

impl TryFrom<u32> for HostCall {
    type Error = u32;

    /// Returns the number itself if it names no call.
    fn try_from(number: u32) -> Result<Self, u32> {
        Ok(match number {
            1 => Self::ConsoleWrite,
            2 => Self::ConsoleRead,
            3 => Self::ClockRead,
            4 => Self::Wait,
            5 => Self::Yield,
            6 => Self::PageRestrict,
            7 => Self::PageTrim,
            8 => Self::PageRemove,
            9 => Self::Log,
            10 => Self::Report,
            11 => Self::PageAdd,
            16 => Self::StoreOpen,
            17 => Self::StoreRead,
            18 => Self::StoreWrite,
            19 => Self::StoreSize,
            20 => Self::StoreResize,
            48 => Self::QuoteTarget,
            49 => Self::Quote,
            50 => Self::Provision,
            51 => Self::Evidence,
            64 => Self::FileLookup,
            65 => Self::FileRelease,
            66 => Self::FileOpen,
            67 => Self::FileCreate,
            68 => Self::FileCreateDirectory,
            69 => Self::FileCreateLink,
            70 => Self::FileLink,
            71 => Self::FileRemove,
            72 => Self::FileRename,
            73 => Self::FileReadLink,
            74 => Self::FileStatus,
            75 => Self::FileSetTimes,
            76 => Self::FileSetSize,
            77 => Self::FileAllocate,
            78 => Self::FileRead,
            79 => Self::FileWrite,
            80 => Self::FileReadDirectory,
            81 => Self::FileSync,
            _ => return Err(number),
        })
    }
}

/// A host clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
pub enum Clock {
    /// Time since 1970-01-01 00:00 UTC.
    Realtime = 0,
    /// Time since some point in the past. The enclave keeps it from going backwards, whatever the host says.
    Monotonic = 1,
}

/// The time limit of [`HostCall::Wait`] that never comes.
pub const WAIT_FOREVER: u64 = u64::MAX;

/// What [`HostCall::Wait`] can wait for.
pub mod interest {
    /// Standard input has bytes, or has ended.
    pub const INPUT: u64 = 1;
    /// Standard output takes bytes.
    pub const OUTPUT: u64 = 2;
    /// Standard error takes bytes.
    pub const ERROR: u64 = 4;
    /// All of them.
    pub const ALL: u64 = INPUT | OUTPUT | ERROR;
}

/// The host's reasons for not doing as asked. The numbers are Linux's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i64)]
pub enum HostErrno {
    /// Not allowed, by whoever (EPERM).
    NotPermitted = 1,
    /// No such file (ENOENT).
    NotFound = 2,
    /// The call was cut short by a request to stop the guest (EINTR).
    Interrupted = 4,
    /// An input or output error (EIO). Also every error without a name of its own.
    Io = 5,
    /// It would have to wait (EAGAIN).
    Again = 11,
    /// No memory, or no enclave pages (ENOMEM).
    NoMemory = 12,
    /// The host's access control forbids it (EACCES).
    Denied = 13,
    /// In use (EBUSY).
    Busy = 16,
    /// The name exists (EEXIST).
    Exists = 17,
    /// Two file systems are involved (EXDEV).
    CrossDevice = 18,
    /// A directory was needed (ENOTDIR).
    NotADirectory = 20,
    /// A directory cannot be used here (EISDIR).
    IsADirectory = 21,
    /// The call or an argument makes no sense to the host (EINVAL).
    Invalid = 22,
    /// Too many open files (EMFILE, ENFILE).
    TooManyOpen = 24,
    /// The file would be too large (EFBIG).
    TooLarge = 27,
    /// No space left (ENOSPC, EDQUOT).
    NoSpace = 28,
    /// The file system can only be read (EROFS).
    ReadOnly = 30,
    /// Too many names (EMLINK).
    TooManyLinks = 31,
    /// Nobody reads the other end (EPIPE).
    BrokenPipe = 32,
    /// A name is too long (ENAMETOOLONG).
    NameTooLong = 36,
    /// The directory has entries (ENOTEMPTY).
    NotEmpty = 39,
    /// The file system does not do it (EOPNOTSUPP).
    NotSupported = 95,
}

impl HostErrno {
    /// The error in a host's answer, or `None` if the answer is not negative.
    #[must_use]
    pub const fn from_answer(ret: i64) -> Option<Self> {
        Some(match ret {
            0.. => return None,
            -1 => Self::NotPermitted,
            -2 => Self::NotFound,
            -4 => Self::Interrupted,
            -11 => Self::Again,
            -12 => Self::NoMemory,
            -13 => Self::Denied,
            -16 => Self::Busy,
            -17 => Self::Exists,
            -18 => Self::CrossDevice,
            -20 => Self::NotADirectory,
            -21 => Self::IsADirectory,
            -22 => Self::Invalid,
            -24 => Self::TooManyOpen,
            -27 => Self::TooLarge,
            -28 => Self::NoSpace,
            -30 => Self::ReadOnly,
            -31 => Self::TooManyLinks,
            -32 => Self::BrokenPipe,
            -36 => Self::NameTooLong,
            -39 => Self::NotEmpty,
            -95 => Self::NotSupported,
            _ => Self::Io,
        })
    }
}

/// A range of host memory, as the host states it: a claim, to be checked before use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Span {
    /// Address of the first byte; a multiple of 8.
    pub address: u64,
    /// Length in bytes. The host's buffer is padded to a multiple of 8, so that whole words can be read.
    pub len: u64,
}

/// What the host passes to [`crate::entry::Call::Launch`], at the start of the payload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct LaunchRequest {
    /// The launch document (TOML). Its SHA-512 must be the enclave's CONFIGID.
    pub document: Span,
    /// The compiled module. Its SHA-256 must stand in the launch document. Empty if the module is confidential, and with
    /// [`launch_flag::ATTEST`].
    pub module: Span,
    /// Arguments from the caller, each ended by a zero byte; empty unless the launch document allows them.
    pub arguments: Span,
    /// Environment from the caller, `NAME=value` each ended by a zero byte; only names the launch document allows.
    pub environment: Span,
    /// The owner's signature of the launch document, 64 bytes; empty unless the document names an owner.
    pub signature: Span,
    /// What comes with a task of [`launch_flag`], or nothing: a verifier's nonce of 8 to 64 bytes, or what another enclave said.
    pub message: Span,
    /// [`launch_flag`]s.
    pub flags: u64,
}

const _: () = assert!(size_of::<LaunchRequest>() == 104);

/// Bytes of [`LaunchRequest::signature`]: r and s of an ECDSA signature with P-256.
pub const SIGNATURE_LEN: usize = 64;

/// The most bytes that [`LaunchRequest::message`] may have. What enclaves say to each other takes no more.
pub const MESSAGE_LEN_BYTES_MAX: usize = 20_480;

/// Bits of [`LaunchRequest::flags`]. Those for terminals are hints: they change nothing but how a stream describes itself.
pub mod launch_flag {
    /// Standard input is a terminal.
    pub const INPUT_TERMINAL: u64 = 1;
    /// Standard output is a terminal.
    pub const OUTPUT_TERMINAL: u64 = 2;
    /// Standard error is a terminal.
    pub const ERROR_TERMINAL: u64 = 4;
    /// Make evidence of this enclave and its document ([`super::HostCall::Evidence`]) instead of running the guest.
    pub const ATTEST: u64 = 8;
    /// The same with an offer to take volumes over from the image whose MRENCLAVE is the message, 32 bytes.
    pub const OFFER: u64 = 16;
    /// The same with a hand-over of volumes to the enclave whose offer is the message.
    pub const HAND_OVER: u64 = 32;
    /// Take over volumes instead of running the guest; the message is what the other enclave handed over.
    pub const TAKE_OVER: u64 = 64;
    /// What is done instead of running the guest: one of these at most.
    pub const TASKS: u64 = ATTEST | OFFER | HAND_OVER | TAKE_OVER;
    /// Every defined bit.
    pub const ALL: u64 = 127;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_call_number_names_itself() {
        for number in 0..128 {
            if let Ok(call) = HostCall::try_from(number) {
                assert_eq!(call as u32, number);
            }
        }
        assert_eq!(HostCall::try_from(12), Err(12));
    }

    #[test]
    fn an_answer_is_an_error_exactly_if_negative() {
        assert_eq!(HostErrno::from_answer(0), None);
        assert_eq!(HostErrno::from_answer(i64::MAX), None);
        assert_eq!(HostErrno::from_answer(-28), Some(HostErrno::NoSpace));
        assert_eq!(HostErrno::from_answer(i64::MIN), Some(HostErrno::Io));
    }
}
