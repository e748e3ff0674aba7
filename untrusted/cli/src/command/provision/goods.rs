//! What there is to hand over, checked against the launch document: nothing is missing and nothing is too much.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use twine::cache::Cache;
use twine::document::{LaunchDocument, VerifyingKey};
use twine::module::Module;
use twine::state::Directories;
use twine_attest::evidence::bundle::Payload;
use twine_attest::evidence::limits::SECRET_LEN_BYTES_MAX;
use zeroize::Zeroizing;

use super::{Given, keys, read};
use crate::exit::{Blame, Code};

/// What an enclave with this launch document is to have.
pub(super) struct Goods {
    engine: String,
    module: Option<Module>,
    secrets: BTreeMap<String, Zeroizing<Vec<u8>>>,
    volume_keys: BTreeMap<String, Zeroizing<[u8; 32]>>,
}

impl Goods {
    /// Reads everything that the document asks for.
    pub(super) fn load(
        given: &Given,
        document: &[u8],
        key: VerifyingKey,
    ) -> Result<(LaunchDocument, Self)> {
        let document = LaunchDocument::parse(document).map_err(twine::Error::from)?;
        let Some(rules) = &document.provisioning else {
            let message = format!(
                "the launch document asks for no provisioner; add to it:\n[provisioning]\nkey = \"{key}\""
            );
            return Err(refuse(&message).into());
        };
        check_key(rules.key, key)?;
        let secrets = given.secret.iter().map(|(name, file)| {
            let secret = Zeroizing::new(read(file)?);
            check_length(name, secret.len())?;
            Ok((name.clone(), secret))
        });
        let secrets: BTreeMap<_, _> = secrets.collect::<Result<_>>()?;
        same(&given.secret, &secrets, rules.names(), "secret", "--secret")?;
        let keys = given
            .volume_key
            .iter()
            .map(|(guest, file)| Ok((guest.clone(), keys::volume_key(file)?)));
        let volume_keys: BTreeMap<_, _> = keys.collect::<Result<_>>()?;
        let volumes = document.provisioned_volumes();
        same(
            &given.volume_key,
            &volume_keys,
            volumes,
            "key of the volume for",
            "--volume-key",
        )?;
        let goods = Self {
            engine: document.module.engine.clone(),
            module: module(&document, given.module.as_deref())?,
            secrets,
            volume_keys,
        };
        Ok((document, goods))
    }

    /// The engine profile of the document: what the module was compiled for, and what the enclave must have.
    pub(super) fn engine(&self) -> &str {
        &self.engine
    }

    /// What is sealed.
    pub(super) fn payload(&self) -> Payload<'_> {
        let secrets = self.secrets.iter();
        let keys = self.volume_keys.iter();
        Payload {
            module: self.module.as_ref().map(Module::machine_code),
            secrets: secrets.map(|(name, s)| (&**name, s.as_slice())).collect(),
            volume_keys: keys.map(|(guest, key)| (&**guest, &**key)).collect(),
        }
    }
}

fn check_key(named: VerifyingKey, ours: VerifyingKey) -> Result<(), Blame> {
    if named == ours {
        return Ok(());
    }
    Err(refuse(&format!(
        "the launch document names the provisioner {named}, and this key is {ours}"
    )))
}

fn check_length(name: &str, len: usize) -> Result<(), Blame> {
    if len > SECRET_LEN_BYTES_MAX {
        return Err(refuse(&format!(
            "the secret `{name}` has {len} bytes, at most {SECRET_LEN_BYTES_MAX} are allowed: data belongs on a volume"
        )));
    }
    Ok(())
}

/// That each name is given once, and exactly the document's names are.
fn same<'a, V>(
    given: &[(String, PathBuf)],
    found: &BTreeMap<String, V>,
    named: impl Iterator<Item = &'a str>,
    what: &str,
    option: &str,
) -> Result<(), Blame> {
    if given.len() > found.len() {
        return Err(refuse(&format!("{option} names something twice")));
    }
    let named: Vec<&str> = named.collect();
    if let Some(name) = named.iter().find(|name| !found.contains_key(**name)) {
        return Err(refuse(&format!(
            "the launch document names the {what} {name}: give it with {option} {name}=FILE"
        )));
    }
    match found.keys().find(|name| !named.contains(&&***name)) {
        Some(name) => Err(refuse(&format!(
            "the launch document does not name the {what} {name}"
        ))),
        None => Ok(()),
    }
}

/// The confidential module, compiled for the document's engine profile and with the document's hash.
fn module(document: &LaunchDocument, path: Option<&Path>) -> Result<Option<Module>> {
    let path = match (document.module.confidential, path) {
        (true, Some(path)) => path,
        (false, None) => return Ok(None),
        (true, None) => {
            return Err(refuse("the module is confidential: give it with --module FILE").into());
        }
        (false, Some(_)) => {
            return Err(refuse(
                "the module is not confidential: the enclave's host has it, so leave --module out",
            )
            .into());
        }
    };
    let ours = twine::abi::profile::ENGINE;
    if document.module.engine != ours {
        let theirs = &document.module.engine;
        let message = format!(
            "the launch document is for the engine profile `{theirs}`, and this release compiles for `{ours}`: provision \
             with the release that the enclave runs"
        );
        return Err(refuse(&message).into());
    }
    let cache = Cache::of(&Directories::of_user().map_err(twine::Error::from)?);
    let module = Module::load(path, &cache)?;
    if module.sha256() != document.module.sha256 {
        return Err(twine::Error::OtherModule {
            expected: Box::new(document.module.clone()),
            found: Box::new(module.identity()),
        }
        .into());
    }
    Ok(Some(module))
}

fn refuse(problem: &str) -> Blame {
    Blame {
        code: Code::Document,
        message: problem.to_owned(),
    }
}
