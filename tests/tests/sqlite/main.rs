//! SQLite as a guest: does it do on a protected volume what it does natively, and what does a host gain that tampers
//! with the volume? Killing the process is tested with the program `twine` (`untrusted/cli/tests/sqlite.rs`).

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod full;
mod hostile;
mod same;
mod shell;
