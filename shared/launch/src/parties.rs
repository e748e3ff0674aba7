//! Who else has a say or a key: the owner, the provisioner, holders of recovery keys, clients of TLS, other images.
//!
//! Keys are the bytes that the document spells. That they are points of their curves is found where they are used.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use crate::digest::Digest;
use crate::document::{Finding, check_text, check_variable_name};
use crate::error::Problem;
use crate::hex;
use crate::limits::{
    MIGRATION_IMAGES_COUNT_MAX, RECOVERY_KEYS_COUNT_MAX, SECRET_NAME_LEN_BYTES_MAX,
    SECRETS_COUNT_MAX, TLS_NAME_LEN_BYTES_MAX, TLS_NAMES_COUNT_MAX,
};

/// Who signs this application's documents. The enclave starts only with their signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Owner {
    /// Verifies the signature.
    pub key: VerifyingKey,
}

/// Who brings what the host must not see, and what that is (`docs/attestation.md`, section 2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Provisioning {
    /// Verifies bundles.
    pub key: VerifyingKey,
    /// Guest path under which secrets appear as read-only files in the enclave's memory.
    pub folder: Option<String>,
    /// Names of the secrets that become files.
    pub secrets: Vec<String>,
    /// Names of the secrets that become variables of the environment.
    pub environment: Vec<String>,
}

impl Provisioning {
    /// Nothing but who.
    #[must_use]
    pub const fn new(key: VerifyingKey) -> Self {
        Self {
            key,
            folder: None,
            secrets: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Names of all secrets that must be in the bundle.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.secrets.iter().chain(&self.environment);
        names.map(String::as_str)
    }
}

/// What the guest finds to serve TLS with: a key that was made in the enclave, and a certificate that proves it (RA-TLS).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Guest path under which `certificate.pem` and `key.pem` appear, in the enclave's memory.
    pub folder: String,
    /// Subject alternative names: names of hosts and IP addresses.
    pub names: Vec<String>,
}

/// Images of the runtime between which this application's volume keys may move, by MRENCLAVE.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Migration {
    /// To which they may be handed over.
    pub to: Vec<Digest>,
    /// From which they are taken over.
    pub from: Vec<Digest>,
}

/// A public key of P-256 in compressed form (SEC 1, section 2.3.3): verifies signatures of the owner or the provisioner.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct VerifyingKey(pub [u8; 33]);

/// A public key of X25519 (RFC 7748), whose holder can open volumes when nobody else can.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct RecoveryKey(pub [u8; 32]);

/// The text is not a key of the kind asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotAKey;

impl FromStr for VerifyingKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        match hex::decode::<33>(text) {
            Some(bytes @ [2 | 3, ..]) => Ok(Self(bytes)),
            _ => Err(NotAKey),
        }
    }
}

impl FromStr for RecoveryKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        hex::decode(text).map(Self).ok_or(NotAKey)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Display for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn check_provisioning(provisioning: &Provisioning) -> Result<(), Finding> {
    let Provisioning {
        key,
        folder,
        secrets,
        environment,
    } = provisioning;
    check_key("provisioning.key", key)?;
    if secrets.len() + environment.len() > SECRETS_COUNT_MAX {
        let key = if secrets.len() > SECRETS_COUNT_MAX {
            "provisioning.secrets"
        } else {
            "provisioning.environment"
        };
        return Err(too_many(key, SECRETS_COUNT_MAX));
    }
    check_distinct("provisioning.secrets", secrets)?;
    check_distinct("provisioning.environment", environment)?;
    check_each("provisioning.secrets", secrets, check_secret_name)?;
    check_each("provisioning.environment", environment, |key, name| {
        check_secret_name(key, name)?;
        check_variable_name(key, name)?;
        if secrets.iter().any(|secret| secret == name) {
            let other = "provisioning.secrets";
            return Err((key.into(), Problem::Contradicts { key: other }));
        }
        Ok(())
    })?;
    match folder {
        None if !secrets.is_empty() => Err(("provisioning.folder".into(), Problem::Missing)),
        _ => Ok(()),
    }
}

/// That a key could be one. Only a draft can hold another: what was read from text has been looked at.
pub(crate) fn check_key(key: &str, value: &VerifyingKey) -> Result<(), Finding> {
    match value.0 {
        [2 | 3, ..] => Ok(()),
        _ => Err((key.into(), Problem::NotAVerifyingKey)),
    }
}

pub(crate) fn check_recovery(keys: &[RecoveryKey]) -> Result<(), Finding> {
    if keys.len() > RECOVERY_KEYS_COUNT_MAX {
        return Err(too_many("recovery.keys", RECOVERY_KEYS_COUNT_MAX));
    }
    check_distinct("recovery.keys", keys)
}

pub(crate) fn check_tls(tls: &Tls) -> Result<(), Finding> {
    if tls.names.len() > TLS_NAMES_COUNT_MAX {
        return Err(too_many("tls.names", TLS_NAMES_COUNT_MAX));
    }
    check_distinct("tls.names", &tls.names)?;
    check_each("tls.names", &tls.names, check_tls_name)
}

pub(crate) fn check_migration(migration: &Migration) -> Result<(), Finding> {
    for (key, images) in [
        ("migration.to", &migration.to),
        ("migration.from", &migration.from),
    ] {
        if images.len() > MIGRATION_IMAGES_COUNT_MAX {
            return Err(too_many(key, MIGRATION_IMAGES_COUNT_MAX));
        }
        check_distinct(key, images)?;
    }
    Ok(())
}

fn check_secret_name(key: &str, name: &str) -> Result<(), Finding> {
    check_text(key, name, SECRET_NAME_LEN_BYTES_MAX)?;
    let forbidden = |c: &char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-');
    if let Some(character) = name.chars().find(forbidden) {
        return Err((key.into(), Problem::ForbiddenCharacter(character)));
    }
    if matches!(name, "." | "..") {
        return Err((key.into(), Problem::ForbiddenCharacter('.')));
    }
    Ok(())
}

/// A host's name (RFC 1123, section 2.1, in lower case; the first label may be `*`), or an IP address in its usual form.
fn check_tls_name(key: &str, name: &str) -> Result<(), Finding> {
    check_text(key, name, TLS_NAME_LEN_BYTES_MAX)?;
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    let usual = |address: IpAddr| format!("{address}") == name;
    if host.split('.').all(is_label) || name.parse().is_ok_and(usual) {
        return Ok(());
    }
    Err((key.into(), Problem::NotAHost))
}

fn check_each(
    key: &str,
    entries: &[String],
    check: impl Fn(&str, &str) -> Result<(), Finding>,
) -> Result<(), Finding> {
    let mut entries = entries.iter().enumerate();
    entries.try_for_each(|(index, entry)| check(&format!("{key}[{index}]"), entry))
}

// Lists are short (see the limits), so that comparing each with each costs nothing.
fn check_distinct<T: PartialEq>(key: &str, entries: &[T]) -> Result<(), Finding> {
    let mut earlier = entries.iter().enumerate().map(|(index, entry)| {
        let repeated = entries.iter().take(index).any(|other| other == entry);
        (index, repeated)
    });
    match earlier.find(|(_, repeated)| *repeated) {
        Some((index, _)) => Err((format!("{key}[{index}]"), Problem::Repeated)),
        None => Ok(()),
    }
}

fn too_many(key: &str, max: usize) -> Finding {
    (key.into(), Problem::TooMany { max })
}
