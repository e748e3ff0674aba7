//! Volumes of protected files, on the host and for those who hold a key: the library behind `twine volume`.
//!
//! Whoever has a passphrase or a recovery key can do here what a guest does inside an enclave, and administer the volume:
//! the machine that runs this is trusted with the contents while it does.
//!
//! | module | owns |
//! |---|---|
//! | [`volume`] | creating, unlocking, closing; key slots; a new volume key |
//! | [`secret`], [`passphrase`], [`keyfile`] | what unlocks: passphrases through Argon2id, recovery keys in PEM files |
//! | [`tree`] | paths, listings, contents |
//! | [`import`], [`export`], [`archive`] | trees of files in and out |
//! | [`check`] | the full check, and what its findings mean |
//! | [`history`] | same, newer, older, or a fork: comparing volumes |
//! | [`store`] | the file a volume lies in |
//!
//! A volume may have been written by somebody else who has the key. So names, links, times and sizes that come out of one
//! are checked like any foreign input before they touch this machine's files or terminal.

#![forbid(unsafe_code)]

pub mod archive;
pub mod check;
mod error;
pub mod export;
pub mod history;
pub mod import;
pub mod keyfile;
pub mod passphrase;
pub mod secret;
pub mod store;
pub mod tree;
pub mod volume;

pub use error::{Error, Result};
pub use secret::{NewHolder, ProvisionedKey, Secret};
pub use twine_fs as fs;
pub use twine_recovery::{PrivateKey, PublicKey};
pub use volume::Volume;
