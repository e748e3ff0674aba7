//! What the tests of the whole share. The tests themselves are in `tests/`:
//!
//! | test | question |
//! |---|---|
//! | `whole` | do programs behave as they should, and does everybody else who misbehaves get nowhere? |
//! | `border` | does the border hold if the enclave is interrupted at every instruction, and its pages are taken away? |
//! | `sqlite` | does SQLite do on a protected volume what it does natively, and nothing wrong on one that was tampered with? |
//! | `polybench` | do numerical kernels compute in an enclave what they compute natively? |
//! | `endurance` | does anything grow when a process launches a thousand enclaves? |
//! | `testsuite` | does WASI's own test suite pass, for those who have it? |
//! | `specification` | does the engine do, inside an enclave, what WebAssembly's specification says? |
//!
//! Everything runs with the bundled image, as it is built for users, on the emulator; `run` knows two more platforms.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what tests share fails as a test does"
)]

pub mod border;
pub mod fuzzing;
pub mod hostile;
pub mod hygiene;
pub mod run;
pub mod spec;
pub mod stage;
pub mod stepping;
