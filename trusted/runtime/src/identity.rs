//! Whether what the host passed is what this enclave was created for.
//!
//! ```text
//!   the enclave's report:   CONFIGID          CONFIGSVN
//!                              ║ SHA-512          ║
//!   launch document:        its bytes ──────► application.version, module.sha256, arguments, environment
//!                                                                     ║ SHA-256
//!   module:                                                        its bytes
//! ```
//!
//! Hashes of public data are compared in whatever time it takes. All bytes lie in the enclave by the time they come
//! here, so what was hashed is what is used.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256, Sha512};
use twine_abi::profile;
use twine_launch::limits::{STRINGS_COUNT_MAX, STRINGS_LEN_BYTES_MAX};
use twine_launch::{Arguments, Digest, Environment, LaunchDocument};

use crate::error::Error;
use crate::owner;

/// What the enclave's own report says of the application (REPORT. Intel SDM vol. 3D, "Layout of REPORT").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// CONFIGID.
    pub config_id: [u8; 64],
    /// CONFIGSVN.
    pub config_svn: u16,
    /// ISVSVN: the runtime's security version.
    pub isv_svn: u16,
    /// CPUSVN: the processor's security version.
    pub cpu_svn: [u8; 16],
}

impl Identity {
    /// Checks that `bytes` are this enclave's launch document, and signed if they name an owner, and reads them.
    ///
    /// # Errors
    /// [`Error::OtherDocument`] before a single byte is interpreted; then [`Error::Document`],
    /// [`Error::OtherVersion`], [`Error::NotSigned`], [`Error::WrongSignature`], [`Error::OwnersKey`].
    pub fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<LaunchDocument, Error> {
        if Sha512::digest(bytes).as_slice() != self.config_id.as_slice() {
            return Err(Error::OtherDocument);
        }
        let document = LaunchDocument::parse(bytes).map_err(Error::Document)?;
        if document.application.version != self.config_svn {
            return Err(Error::OtherVersion {
                document: document.application.version,
                enclave: self.config_svn,
            });
        }
        owner::verify(&document, bytes, signature)?;
        Ok(document)
    }
}

/// A compiled module whose hash stands in the enclave's launch document. Holding one *is* the proof.
#[derive(Debug)]
pub(crate) struct VerifiedModule<'a>(&'a [u8]);

impl<'a> VerifiedModule<'a> {
    /// Checks that `bytes` are the module that `document` names.
    ///
    /// # Errors
    /// [`Error::OtherModule`]; [`Error::OtherEngine`] if it was compiled for another engine.
    pub(crate) fn verify(document: &LaunchDocument, bytes: &'a [u8]) -> Result<Self, Error> {
        let found = Digest(Sha256::digest(bytes).into());
        let expected = document.module.sha256;
        if found != expected {
            return Err(Error::OtherModule { expected, found });
        }
        if document.module.engine != profile::ENGINE {
            return Err(Error::OtherEngine {
                found: document.module.engine.clone(),
            });
        }
        Ok(Self(bytes))
    }

    /// The module that is a part of this one's bytes, or `None` if `bytes` lie elsewhere: what vouches for the whole
    /// vouches for every part.
    #[cfg(feature = "spectest")]
    pub(crate) fn part<'b>(&self, bytes: &'b [u8]) -> Option<VerifiedModule<'b>> {
        let (whole, part) = (self.0.as_ptr_range(), bytes.as_ptr_range());
        let inside = whole.start <= part.start && part.end <= whole.end;
        inside.then_some(VerifiedModule(bytes))
    }

    /// The module's bytes.
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// The guest's arguments, by the document's rule. `from_caller` holds the caller's, each ended by a zero byte.
///
/// # Errors
/// [`Error::Arguments`].
pub(crate) fn arguments(rule: &Arguments, from_caller: &[u8]) -> Result<Vec<String>, Error> {
    let passed = strings("arguments", from_caller)?;
    match rule {
        Arguments::FromCaller => Ok(passed.into_iter().map(String::from).collect()),
        Arguments::Fixed(fixed) if passed.is_empty() => Ok(fixed.clone()),
        Arguments::Fixed(_) => {
            refuse("the launch document fixes the arguments, so the caller may pass none".into())
        }
    }
}

/// The guest's environment, by the document's rule, as `NAME=value`. `from_caller` holds the caller's variables in
/// the same form, each ended by a zero byte.
///
/// # Errors
/// [`Error::Arguments`].
pub(crate) fn environment(rule: &Environment, from_caller: &[u8]) -> Result<Vec<String>, Error> {
    let fixed = rule
        .fixed
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let mut variables: Vec<String> = fixed.collect();
    let mut seen = alloc::collections::BTreeSet::new();
    for variable in strings("environment", from_caller)? {
        let Some((name, _)) = variable.split_once('=') else {
            return refuse(format!(
                "the variable `{}` has no value",
                variable.escape_debug()
            ));
        };
        if !rule.from_caller.contains(name) {
            return refuse(format!(
                "the launch document does not let the caller set the variable `{}`",
                name.escape_debug()
            ));
        }
        if !seen.insert(name) {
            return refuse(format!(
                "the caller sets the variable `{}` twice",
                name.escape_debug()
            ));
        }
        variables.push(variable.into());
    }
    Ok(variables)
}

/// Takes apart strings that each end in a zero byte.
fn strings<'a>(what: &str, bytes: &'a [u8]) -> Result<Vec<&'a str>, Error> {
    if bytes.len() > STRINGS_LEN_BYTES_MAX {
        return refuse(format!(
            "the caller's {what} take more than {STRINGS_LEN_BYTES_MAX} bytes"
        ));
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return refuse(format!("the caller's {what} are not UTF-8"));
    };
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(text) = text.strip_suffix('\0') else {
        return refuse(format!("the caller's {what} do not end in a zero byte"));
    };
    let strings: Vec<&str> = text.split('\0').collect();
    if strings.len() > STRINGS_COUNT_MAX {
        return refuse(format!(
            "the caller's {what} are more than {STRINGS_COUNT_MAX}"
        ));
    }
    Ok(strings)
}

const fn refuse<T>(rule: String) -> Result<T, Error> {
    Err(Error::Arguments(rule))
}
