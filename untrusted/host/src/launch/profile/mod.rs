//! Where a guest spends its time: its thread is interrupted every millisecond, and looked at as a debugger would.
//!
//! ```text
//!   sampler thread          launching thread
//!   Enclave::interrupt ───► leaves: Left::Interrupted ──► reads SSA[0] and the stack, counts them, resumes
//!                      ───► is serving a host call: counted as the host's time when that is done
//! ```
//!
//! The enclave takes no part in it. What is read is an enclave's memory, through `/proc/self/mem`, where the driver reads
//! with EDBGRD: that works for enclaves with the attribute DEBUG only, so a profile is of a debug launch. The emulator's
//! enclaves can be read in the same way, because they are memory like any other.
//!
//! The machine code keeps frame pointers, so stacks are chains. A guest that is in a call of the runtime's is found by
//! searching the stack upwards for the first link that leads into its code. A function that has just been entered or is
//! about to return has no frame, and its caller is missing from that sample.

mod symbols;

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use twine_abi::exchange::{Header, HostCall};
use twine_abi::layout::{BLOCK_OFFSET, BLOCK_STACK_OFFSET, PAGE_LEN, SSA_OFFSET, TCS_OFFSET};
use twine_abi::sgx::GprSgx;
use twine_launch::limits::STACK_BYTES_MAX;

use crate::backend::Enclave;
use crate::error::Error;
use symbols::Symbols;

/// Time between two samples: a thousand a second, which costs a guest on the emulator a few percent of its time.
pub const PERIOD: Duration = Duration::from_millis(1);

/// Where a guest spent its time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Profile {
    /// Stacks, the most frequent first.
    pub stacks: Vec<Stack>,
}

/// A stack, and how often it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stack {
    /// Functions of the guest, outermost first, by the names in the module, or `function 12` without.
    pub functions: Vec<String>,
    /// In whose code the thread was.
    pub place: Place,
    /// How often, one for each [`PERIOD`].
    pub samples: u64,
}

/// In whose code a thread is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// The guest's own.
    Guest,
    /// The enclave's: the engine, WASI, the file system.
    Runtime,
    /// The host's, which served a call.
    Host,
}

/// Records one launch.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Arc<Mutex<Recording>>);

#[derive(Debug)]
struct Recording {
    memory: File,
    symbols: Symbols,
    /// Where the machine code lies, once the enclave has loaded it.
    text: Range<u64>,
    /// How often the time for a sample has come.
    ticks: Arc<AtomicU64>,
    /// How many of these have been counted.
    counted: u64,
    stacks: HashMap<(Vec<u64>, Place), u64>,
}

impl Recorder {
    /// A recorder for a launch of this machine code.
    ///
    /// # Errors
    /// [`Error::Os`] if this process must not read its own memory.
    pub(crate) fn new(native: &[u8]) -> Result<Self, Error> {
        let memory = File::open("/proc/self/mem").map_err(|source| Error::Os {
            what: "opening this process's memory to take a profile",
            source,
        })?;
        Ok(Self(Arc::new(Mutex::new(Recording {
            memory,
            symbols: Symbols::of(native),
            text: 0..0,
            ticks: Arc::default(),
            counted: 0,
            stacks: HashMap::new(),
        }))))
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to interrupt a thread, until what this returns is dropped.
    ///
    /// # Errors
    /// [`Error::Os`] if no thread can be started.
    pub(crate) fn start(&self, enclave: Arc<dyn Enclave>, tcs: u64) -> Result<Sampler, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, ticks) = (Arc::clone(&stop), Arc::clone(&self.lock().ticks));
        let thread = thread::Builder::new().name("twine-sampler".into());
        let thread = thread.spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                thread::park_timeout(PERIOD);
                ticks.fetch_add(1, Ordering::AcqRel);
                enclave.interrupt(tcs);
            }
        });
        let thread = thread.map_err(|source| Error::Os {
            what: "starting the sampler's thread",
            source,
        })?;
        Ok(Sampler {
            stop,
            thread: Some(thread),
        })
    }

    /// Counts the thread in `tcs` as being in the host call that has just been served, if the time for a sample came
    /// meanwhile; and looks whether the call made the machine code's pages what they stay.
    pub(crate) fn served(&self, enclave: &dyn Enclave, tcs: u64, header: &Header) {
        let mut recording = self.lock();
        let samples = recording.due();
        if samples > 0 {
            let block = area(enclave, tcs).wrapping_add(BLOCK_OFFSET);
            let mut rsp = [0; 8];
            let frames = if recording.read(block.wrapping_add(BLOCK_STACK_OFFSET), &mut rsp) {
                recording.walk_from(u64::from_le_bytes(rsp))
            } else {
                Vec::new()
            };
            recording.count(frames, Place::Host, samples);
        }
        if recording.text.is_empty() && header.op == HostCall::PageRestrict as u32 {
            let [offset, ..] = header.args;
            recording.look_for_code(enclave.base().wrapping_add(offset));
        }
    }

    /// Counts the thread in `tcs`, which has left asynchronously while it ran the guest or the runtime.
    pub(crate) fn sample(&self, enclave: &dyn Enclave, tcs: u64) {
        let mut recording = self.lock();
        let samples = recording.due();
        let end = area(enclave, tcs).wrapping_add(SSA_OFFSET + PAGE_LEN);
        let mut bytes = [0; GprSgx::LEN];
        if samples == 0 || !recording.read(end.wrapping_sub(GprSgx::LEN as u64), &mut bytes) {
            return;
        }
        let gprs = GprSgx::from_bytes(&bytes);
        if recording.text.contains(&gprs.rip) {
            let mut frames = vec![gprs.rip.wrapping_sub(recording.text.start)];
            recording.follow(gprs.rbp, &mut frames);
            recording.count(frames, Place::Guest, samples);
        } else {
            let frames = recording.walk_from(gprs.rsp);
            recording.count(frames, Place::Runtime, samples);
        }
    }

    /// What has been recorded.
    pub(crate) fn profile(&self) -> Profile {
        let recording = self.lock();
        let mut named: HashMap<(Vec<String>, Place), u64> = HashMap::new();
        for ((frames, place), samples) in &recording.stacks {
            let names = frames.iter().rev();
            let names = names.filter_map(|at| recording.symbols.name(*at));
            *named.entry((names.collect(), *place)).or_default() += samples;
        }
        let mut stacks: Vec<Stack> = named
            .into_iter()
            .map(|((functions, place), samples)| Stack {
                functions,
                place,
                samples,
            })
            .collect();
        stacks.sort_by(|a, b| {
            let most = b.samples.cmp(&a.samples);
            most.then_with(|| (&a.functions, a.place).cmp(&(&b.functions, b.place)))
        });
        Profile { stacks }
    }
}

impl Recording {
    /// Whether the machine code lies at the address; the enclave loads the file as it is.
    fn look_for_code(&mut self, address: u64) {
        let mut head = vec![0; self.symbols.head().len()];
        if self.read(address, &mut head) && head == self.symbols.head() {
            let text = self.symbols.text();
            self.text = address.wrapping_add(text.start)..address.wrapping_add(text.end);
        }
    }

    /// Reads this process's memory; an enclave's pages only if it is for debugging.
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.memory.read_exact_at(into, address).is_ok()
    }

    /// How many samples are due, which are counted with this.
    fn due(&mut self) -> u64 {
        let ticks = self.ticks.load(Ordering::Acquire);
        ticks.saturating_sub(std::mem::replace(&mut self.counted, ticks))
    }

    fn count(&mut self, frames: Vec<u64>, place: Place, samples: u64) {
        *self.stacks.entry((frames, place)).or_default() += samples;
    }

    /// Places in the machine code, innermost first, that a thread outside of it will return to.
    fn walk_from(&self, rsp: u64) -> Vec<u64> {
        let mut frames = Vec::new();
        if let Some(link) = self.first_link(rsp) {
            self.follow(link, &mut frames);
        }
        frames
    }

    /// Follows the chain of frame pointers from `link` as long as it leads through the guest's code.
    fn follow(&self, mut link: u64, frames: &mut Vec<u64>) {
        while frames.len() < DEPTH_MAX {
            let mut words = [0; 16];
            if !self.read(link, &mut words) {
                break;
            }
            let [up, back] = pair(&words);
            if !self.text.contains(&back) {
                break;
            }
            // The call, not what comes after it: that may belong to another function.
            frames.push(back.wrapping_sub(1).wrapping_sub(self.text.start));
            if up <= link {
                break;
            }
            link = up;
        }
    }

    /// The lowest place above `from` that holds a frame pointer and a return address of the guest's.
    fn first_link(&self, from: u64) -> Option<u64> {
        let mut stack = Vec::with_capacity(SEARCH_LEN);
        let mut page = [0; 4096];
        // The stack may end before the search does.
        while stack.len() < SEARCH_LEN
            && self.read(from.wrapping_add(stack.len() as u64), &mut page)
        {
            stack.extend_from_slice(&page);
        }
        let words = stack.windows(16).step_by(8);
        let mut places = (from..).step_by(8).zip(words);
        places.find_map(|(at, words)| {
            let [up, back] = pair(words.first_chunk()?);
            let leads_up = up > at && up - at < STACK_BYTES_MAX;
            (leads_up && self.text.contains(&back)).then_some(at)
        })
    }
}

/// The address of the area of the thread whose TCS lies at this offset.
fn area(enclave: &dyn Enclave, tcs: u64) -> u64 {
    enclave.base().wrapping_add(tcs).wrapping_sub(TCS_OFFSET)
}

fn pair(words: &[u8; 16]) -> [u64; 2] {
    let (words, _) = words.as_chunks::<8>();
    let word = |index: usize| words.get(index).copied().map_or(0, u64::from_le_bytes);
    [word(0), word(1)]
}

/// Deepest stack that is recorded; of deeper ones the innermost part.
const DEPTH_MAX: usize = 512;

/// How far a guest's frame is searched for: the runtime's calls need less stack.
const SEARCH_LEN: usize = 32 << 10;

/// Interrupts a thread until it is dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // Its only possible panic is its own; the guest's outcome does not depend on it.
            let _ = thread.join();
        }
    }
}
