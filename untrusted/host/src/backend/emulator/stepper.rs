//! Single-stepping, as an attacker does it on silicon with a timer (SGX-Step): a look at the thread before each instruction
//! of chosen pages, and an asynchronous exit wherever it is wanted. For tests of the enclave's entry code.

use std::fmt;
use std::ops::Range;

use twine_abi::sgx::GprSgx;

/// What a thread is about to do: the state before one instruction inside.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Where the instruction lies, as an offset from the base.
    pub offset: u64,
    /// Base of the enclave.
    pub base: u64,
    /// The SSA frame that an asynchronous exit would fill: 0 in ordinary code, 1 in the exception handler.
    pub frame: u32,
    /// The thread's registers. Changes are made real: what an attacker cannot do, a test of what is cleared later can.
    pub registers: &'a mut GprSgx,
    /// x87, SSE and AVX state in the standard XSAVE format, with the header; empty where the kernel does not show it.
    pub xstate: &'a mut [u8],
}

/// What happens next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// The instruction is executed.
    Step,
    /// The thread leaves before it, asynchronously, as after an interrupt.
    Leave,
    /// It goes on without being watched, until it is entered or resumed the next time.
    Run,
}

/// Looks on while a thread runs. Called in a signal handler on the thread itself, which holds no lock then; a panic ends
/// the process. Threads step one at a time: two that do so together may miss instructions.
pub struct Stepper {
    pages: Vec<Range<u64>>,
    look: Look,
}

type Look = Box<dyn Fn(&mut Moment<'_>) -> Next + Send + Sync>;

impl Stepper {
    /// Looks at every instruction on these pages (offsets from the base, whole pages).
    pub fn new(
        pages: Vec<Range<u64>>,
        look: impl Fn(&mut Moment<'_>) -> Next + Send + Sync + 'static,
    ) -> Self {
        Self {
            pages,
            look: Box::new(look),
        }
    }

    pub(super) fn pages(&self) -> &[Range<u64>] {
        &self.pages
    }

    pub(super) fn watches(&self, offset: u64) -> bool {
        self.pages.iter().any(|pages| pages.contains(&offset))
    }

    pub(super) fn look(&self, moment: &mut Moment<'_>) -> Next {
        (self.look)(moment)
    }
}

impl fmt::Debug for Stepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepper")
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}
