//! The emulator's hands: real memory, real registers, real signals. All of the emulator's `unsafe` is in here.
//!
//! | module | owns |
//! |---|---|
//! | [`instance`] | one enclave: its address range, its state machine, who is inside; going in |
//! | [`building`], [`managing`] | its pages, before and after EINIT |
//! | [`range`] | the address range as memory |
//! | [`mappings`] | which parts of a range are mapped, where somebody else decides that |
//! | [`mirror`] | page tables that follow the EPCM |
//! | [`context`] | the state of a thread that is inside |
//! | [`switch`] | the instructions between the host's registers and the enclave's |
//! | [`leaves`] | ENCLU, executed for the enclave |
//! | [`exits`] | asynchronous exit and ERESUME: the SSA frame |
//! | [`rebind`] | ENCLU sites turned into jumps |
//! | [`stepping`] | instruction by instruction, for tests |
//! | [`signals`] | the handlers that make faults asynchronous exits |
//! | [`place`] | where a signal found the thread |
//! | [`chain`] | whoever had the handler before |
//! | [`frame`] | registers in a signal frame |
//! | [`host_signals`] | handlers of the host's own, wrapped |
//! | [`thread`] | the alternate signal stack |
//! | [`cpu`] | the GS base |

#![expect(
    unsafe_code,
    reason = "an emulator of a processor handles raw memory, registers and signal frames"
)]

pub(super) mod building;
pub(super) mod instance;
pub(super) mod mappings;
pub(super) mod range;

mod chain;
mod context;
mod cpu;
mod exits;
pub(super) mod frame;
mod host_signals;
mod leaves;
mod managing;
mod mirror;
mod place;
mod rebind;
mod signals;
mod stepping;
mod switch;
mod thread;
