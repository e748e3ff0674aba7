//! Provisioning: what the host must not see comes from the provisioner that the launch document names.
//!
//! ```text
//!   key pair, for this launch ──► evidence ──► request ──host──► provisioner
//!       │                                                           │
//!       └──► opens, once ◄─────────────── bundle ◄──────host────────┘
//!              ├─► module ──► the engine
//!              ├─► secrets ──► files in memory, variables
//!              └─► keys of volumes
//! ```
//!
//! The private key is gone when the bundle is open, the bundle when the module is loaded.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hint::black_box;

use twine_abi::profile;
use twine_evidence::bundle::{Expected, Header, Payload, PrivateKey};
use twine_evidence::{Request, Statement};
use twine_launch::{LaunchDocument, Provisioning};
use zeroize::Zeroizing;

use crate::attestation;
use crate::error::Error;
use crate::files::{Access, Mount, Tmpfs};
use crate::identity::Identity;
use crate::limits::REQUEST_LEN_BYTES_MAX;
use crate::platform::Platform;
use crate::volume::VolumeKeys;

/// What the provisioner brought, apart from the module.
#[derive(Debug, Default)]
pub(crate) struct Provisioned {
    /// Variables of the environment, `NAME=value`.
    pub(crate) variables: Vec<String>,
    /// Where the guest finds the other secrets.
    pub(crate) secrets: Option<Mount>,
    /// Keys of volumes.
    pub(crate) volume_keys: VolumeKeys,
}

/// Asks the provisioner of the document, if it has one. What comes in place of a module from the host goes to `load`.
///
/// # Errors
/// [`Error::OtherEngine`] before anybody is asked; [`Error::NoBundle`], [`Error::Bundle`], [`Error::SecretNotText`], and
/// those of making evidence and of `load`.
pub(crate) fn provision<M>(
    platform: &mut dyn Platform,
    identity: &Identity,
    document: &LaunchDocument,
    load: impl FnOnce(&[u8]) -> Result<M, Error>,
) -> Result<(Provisioned, Option<M>), Error> {
    let Some(rules) = &document.provisioning else {
        return Ok((Provisioned::default(), None));
    };
    if document.module.engine != profile::ENGINE {
        return Err(Error::OtherEngine {
            found: document.module.engine.clone(),
        });
    }
    let mut bundle = Zeroizing::new(Vec::new());
    let payload = obtain(platform, identity, document, rules, &mut bundle)?;
    let provisioned = Provisioned::of(&payload, rules, platform)?;
    let module = payload.module.map(load).transpose()?;
    Ok((provisioned, module))
}

/// Asks, and opens the answer in `bundle`.
fn obtain<'b>(
    platform: &mut dyn Platform,
    identity: &Identity,
    document: &LaunchDocument,
    rules: &Provisioning,
    bundle: &'b mut Zeroizing<Vec<u8>>,
) -> Result<Payload<'b>, Error> {
    let key = new_key(platform);
    let public = key.public();
    let evidence = attestation::evidence(platform, identity, Statement::Provision { key: public })?;
    let request = Request { evidence }.encode();
    if request.len() > REQUEST_LEN_BYTES_MAX {
        return Err(Error::RequestTooLong(request.len()));
    }
    *bundle = platform.provision(&request).map_err(Error::NoBundle)?;
    let secrets: Vec<&str> = rules.names().collect();
    let volume_keys: Vec<&str> = document.provisioned_volumes().collect();
    let module = &document.module;
    let expected = Expected {
        provisioner: &rules.key.0,
        header: Header {
            engine: profile::ENGINE,
            request: &Request::hash(&request),
            config_id: &identity.config_id,
        },
        module: module.confidential.then_some(&module.sha256.0),
        secrets: &secrets,
        volume_keys: &volume_keys,
    };
    let opened = expected.open(key, bundle);
    wipe_stack();
    opened.map_err(Error::Bundle)
}

fn new_key(platform: &mut dyn Platform) -> PrivateKey {
    let mut bytes = Zeroizing::new([0; 32]);
    platform.random(bytes.as_mut_slice());
    PrivateKey::new(bytes)
}

/// Overwrites what calls have left below this frame: registers that were spilled, values that were moved.
#[inline(never)]
fn wipe_stack() {
    let mut below = Zeroizing::new([0_u8; WIPED_LEN]);
    black_box(below.as_mut_slice());
}

/// More than opening a bundle takes. A thread's stack is far larger.
const WIPED_LEN: usize = 32 << 10;

impl Provisioned {
    fn of(
        payload: &Payload<'_>,
        rules: &Provisioning,
        platform: &mut dyn Platform,
    ) -> Result<Self, Error> {
        let secret = |name: &String| payload.secrets.get_key_value(&**name);
        let variables = rules.environment.iter().filter_map(secret);
        let variables = variables.map(|(name, value)| variable(name, value));
        let files = rules.secrets.iter().filter_map(secret);
        let keys = payload.volume_keys.iter();
        let keys = keys.map(|(guest, key)| (String::from(*guest), Zeroizing::new(**key)));
        Ok(Self {
            variables: variables.collect::<Result<_, _>>()?,
            secrets: match &rules.folder {
                Some(folder) => Some(mount(folder, files.map(|(n, v)| (*n, *v)), platform)?),
                None => None,
            },
            volume_keys: keys.collect(),
        })
    }
}

fn variable(name: &str, value: &[u8]) -> Result<String, Error> {
    match str::from_utf8(value) {
        Ok(value) if !value.contains('\0') => Ok(format!("{name}={value}")),
        _ => Err(Error::SecretNotText(name.into())),
    }
}

fn mount<'a>(
    folder: &str,
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
    platform: &mut dyn Platform,
) -> Result<Mount, Error> {
    let services = platform.services();
    let files = Tmpfs::of_files(files, Box::new(move || services.now()));
    Ok(Mount {
        path: folder.into(),
        files: Box::new(files.map_err(|error| Error::Mounts(format!("{folder}: {error:?}")))?),
        access: Access::ReadOnly,
    })
}
