//! The runtime on an ordinary machine: same code, same compiled modules as in the enclave, a platform made for testing.
//!
//! | module | what is tested |
//! |---|---|
//! | `launch` | what has to fit before a guest runs |
//! | `ends` | how guests end: exit codes, traps, backtraces |
//! | `limits` | memory, tables, stack |
//! | `streams`, `process` | WASI, call by call |
//! | `files`, `directories`, `paths`, `rights` | WASI on every kind of file system; `script` makes the guests, `watched` sees what they do |
//! | `volumes` | what only protected volumes do: lasting, being full, being attacked |
//! | `keys` | whose key opens a volume |
//! | `provisioning` | confidential modules, secrets |
//! | `hostile` | a host that lies |
//! | `spectest` | the interpreter of the specification's tests |
//!
//! One binary for all, because linking the compiler takes longer than running the tests.

mod directories;
mod ends;
mod files;
mod guest;
mod hostile;
mod keys;
mod launch;
mod limits;
mod paths;
mod process;
mod provisioning;
mod rights;
mod script;
mod spectest;
mod streams;
mod support;
mod volumes;
mod watched;
