//! Calls to the host, and its memory.
//!
//! What the host says is a claim. Its memory is never referenced, only copied, once, in whole aligned words
//! (CVE-2022-21233); its answers are integers that must lie in the range that the caller names.

use core::arch::asm;
use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicU64, Ordering};

use twine_abi::exchange::{
    ARGS_COUNT, ARGS_OFFSET, EXCHANGE_LEN, HEADER_LEN, HostCall, HostErrno, PAYLOAD_LEN,
    RET_OFFSET, Span,
};

use crate::{entry, image, thread};

/// Why a call to the host gave no result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CallError {
    /// The host could not, and says why.
    Failed(HostErrno),
    /// The host's answer is impossible.
    Misbehaved,
}

/// A range of host memory, proven to lie wholly outside the enclave, aligned to 8 and padded to whole words. Not a slice:
/// the host may change it at any time.
#[derive(Clone, Copy)]
pub(crate) struct HostRange {
    address: u64,
    len: usize,
}

const WORD_LEN: usize = size_of::<u64>();

impl HostRange {
    /// Checks a claim. `None` if the range wraps around, touches the enclave, is misaligned or null.
    pub(crate) fn new(span: Span) -> Option<Self> {
        let padded = span.len.checked_next_multiple_of(WORD_LEN as u64)?;
        let len = usize::try_from(span.len).ok()?;
        image::is_outside(span.address, padded).then_some(Self {
            address: span.address,
            len,
        })
    }

    /// The exchange area of this thread's call. It was checked when the call began.
    pub(crate) fn exchange() -> Self {
        Self {
            address: thread::exchange(),
            len: EXCHANGE_LEN,
        }
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// The part from `offset` (a multiple of 8) on.
    pub(crate) fn from(self, offset: usize) -> Self {
        assert!(
            offset.is_multiple_of(WORD_LEN) && offset <= self.len,
            "a part of the range"
        );
        Self {
            address: self.address + offset as u64,
            len: self.len - offset,
        }
    }

    /// Copies the start of the range into the enclave: as much as both have room for.
    pub(crate) fn read_once(self, to: &mut [u8]) {
        let len = to.len().min(self.len);
        let whole = len - len % WORD_LEN;
        let (words, tail) = to.get_mut(..len).unwrap_or_default().split_at_mut(whole);
        // SAFETY:
        // - The target is `words`, which is exclusively ours, and `whole` bytes long.
        // - The source is not our memory: `new` rejected every overlap of the padded range with the enclave, so no
        //   reference aliases it, and `len` keeps it in the range.
        // - Faults: a host that gives an unmapped address stops itself; the exception is not the guest's, so fatal.
        // - Races: the host may write concurrently; every word is read once, aligned, and yields some value, which is all
        //   we assume.
        unsafe { move_words(self.address, words.as_mut_ptr() as u64, whole) };
        if !tail.is_empty() {
            let mut word = [0_u8; WORD_LEN];
            // SAFETY: as above; the range is padded to whole words.
            unsafe {
                move_words(
                    self.address + whole as u64,
                    word.as_mut_ptr() as u64,
                    WORD_LEN,
                )
            };
            tail.iter_mut().zip(word).for_each(|(to, byte)| *to = byte);
        }
    }

    /// Has the processor fetch the start of the range while it does something else.
    pub(crate) fn prefetch(self) {
        // SAFETY: a hint: it gives no value, cannot fault, and changes neither registers nor memory.
        unsafe {
            asm!("prefetcht0 [{}]", in(reg) self.address, options(nostack, preserves_flags, readonly));
        }
    }

    /// Copies bytes out, the last word padded with zeros. There must be room.
    pub(crate) fn write(self, from: &[u8]) {
        assert!(from.len() <= self.len, "the caller keeps to the range");
        let whole = from.len() - from.len() % WORD_LEN;
        let (words, tail) = from.split_at(whole);
        // SAFETY: as for `read_once`, the other way round: `words` is only read, and the padded range is outside, so
        // nothing of the enclave is overwritten. Whole aligned words leave no stale bytes of a partial store behind.
        unsafe { move_words(words.as_ptr() as u64, self.address, whole) };
        if !tail.is_empty() {
            let mut word = [0_u8; WORD_LEN];
            word.iter_mut().zip(tail).for_each(|(to, byte)| *to = *byte);
            // SAFETY: as above.
            unsafe { move_words(word.as_ptr() as u64, self.address + whole as u64, WORD_LEN) };
        }
    }

    /// Reads the word at `offset`.
    fn read_word(self, offset: usize) -> u64 {
        let mut word = [0; WORD_LEN];
        self.from(offset).read_once(&mut word);
        u64::from_le_bytes(word)
    }
}

/// Moves `len` bytes, a multiple of 8, in whole words. The compiler sees neither range, so it assumes nothing about them.
///
/// # Safety
/// The ranges do not overlap; what is written is exclusively the caller's, or not the enclave's; what is read is the
/// caller's, or not the enclave's. The side that is not the enclave's is aligned to 8.
unsafe fn move_words(from: u64, to: u64, len: usize) {
    // SAFETY: the caller's. The direction flag is clear, as the calling convention has it.
    unsafe {
        asm!(
            "rep movsq",
            inout("rsi") from => _,
            inout("rdi") to => _,
            inout("rcx") len / WORD_LEN => _,
            options(nostack, preserves_flags),
        );
    }
}

/// Makes a call without payload. The answer must lie in `allowed`.
pub(crate) fn call(
    call: HostCall,
    args: [u64; ARGS_COUNT],
    allowed: RangeInclusive<u64>,
) -> Result<u64, CallError> {
    exchange(call, args, &[], allowed)
}

/// Makes a call that carries `payload` out. At most [`PAYLOAD_LEN`] bytes.
pub(crate) fn call_with(
    call: HostCall,
    args: [u64; ARGS_COUNT],
    payload: &[u8],
    allowed: RangeInclusive<u64>,
) -> Result<u64, CallError> {
    exchange(call, args, payload, allowed)
}

/// Makes a call whose answer is a number of bytes, at most as many as `payload` holds, and copies those in.
pub(crate) fn call_for(
    call: HostCall,
    args: [u64; ARGS_COUNT],
    payload: &mut [u8],
) -> Result<usize, CallError> {
    let most = payload.len().min(PAYLOAD_LEN);
    let answer = exchange(call, args, &[], 0..=most as u64)?;
    let len = usize::try_from(answer).map_err(|_| CallError::Misbehaved)?;
    let answer = payload.get_mut(..len).ok_or(CallError::Misbehaved)?;
    HostRange::exchange().from(HEADER_LEN).read_once(answer);
    Ok(len)
}

/// Writes a message to the host's standard error: debug launches only. A thread without a call has nowhere to put it.
pub(crate) fn log(message: &[u8]) {
    if thread::exchange() != 0 {
        let message = message.get(..PAYLOAD_LEN).unwrap_or(message);
        let args = [message.len() as u64, 0, 0, 0, 0, 0];
        // What the host does with it, and whether, is of no consequence.
        let _ = call_with(HostCall::Log, args, message, 0..=0);
    }
}

/// Reads the host's arguments to a call: words of the header's `args`, then the payload.
pub(crate) fn read_argument(index: usize) -> u64 {
    HostRange::exchange().read_word(ARGS_OFFSET + index * WORD_LEN)
}

/// Copies the first words of the payload in.
pub(crate) fn read_payload_words(words: &mut [u64]) {
    let payload = HostRange::exchange().from(HEADER_LEN);
    for (index, word) in words.iter_mut().enumerate() {
        *word = payload.read_word(index * WORD_LEN);
    }
}

/// Copies the start of the payload in.
pub(crate) fn read_payload(bytes: &mut [u8]) {
    HostRange::exchange().from(HEADER_LEN).read_once(bytes);
}

/// Copies bytes to the start of the payload. At most [`PAYLOAD_LEN`].
pub(crate) fn write_payload(from: &[u8]) {
    HostRange::exchange().from(HEADER_LEN).write(from);
}

/// Host calls made so far.
pub(crate) fn calls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}

static CALLS: AtomicU64 = AtomicU64::new(0);

/// One round trip.
fn exchange(
    call: HostCall,
    args: [u64; ARGS_COUNT],
    payload: &[u8],
    allowed: RangeInclusive<u64>,
) -> Result<u64, CallError> {
    let area = HostRange::exchange();
    let mut header = [0; HEADER_LEN];
    header[..4].copy_from_slice(&(call as u32).to_le_bytes());
    for (field, argument) in header[ARGS_OFFSET..].chunks_exact_mut(WORD_LEN).zip(args) {
        field.copy_from_slice(&argument.to_le_bytes());
    }
    CALLS.fetch_add(1, Ordering::Relaxed);
    area.write(&header);
    area.from(HEADER_LEN).write(payload);
    entry::host_call();
    let answer = area.read_word(RET_OFFSET).cast_signed();
    if let Some(error) = HostErrno::from_answer(answer) {
        return Err(CallError::Failed(error));
    }
    let answer = answer.cast_unsigned();
    if allowed.contains(&answer) {
        Ok(answer)
    } else {
        Err(CallError::Misbehaved)
    }
}
