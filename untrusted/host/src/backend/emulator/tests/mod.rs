//! How the emulator is tested: a small enclave, written in assembly, that does one thing for each number it is called with
//! ([`guest`]), built and signed here ([`support`]), and run through the same traits as the real image. What an enclave
//! sees is asked of the enclave itself, from its second thread if need be; no test looks into enclave memory from outside.

mod accepting;
mod building;
mod exceptions;
pub(in crate::backend) mod guest;
mod host_handler;
mod identity;
mod interrupts;
mod lifetime;
pub(in crate::backend) mod support;
mod transitions;
mod vectors;
