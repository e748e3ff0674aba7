//! `twine sign`: the owner's signature of a launch document.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine::Error;
use twine::owner::{OwnerError, OwnerKey};
use zeroize::Zeroizing;

use super::signature_path;
use crate::exit::{Blame, Code};

/// Sign a launch document as its owner
///
/// An enclave whose launch document names an owner starts only with the owner's signature of the document, byte for byte.
/// `twine run` finds the signature beside the document. To sign the runtime's image instead: `twine image sign`.
#[derive(Args, Debug)]
#[command(after_help = KEYS)]
pub(crate) struct Arguments {
    /// The launch document (.toml)
    #[arg(required_unless_present = "generate")]
    document: Option<PathBuf>,
    /// The owner's private key, in PEM form
    #[arg(long, value_name = "FILE", required_unless_present = "generate")]
    key: Option<PathBuf>,
    /// Where to write the signature [default: the document's name with .sig behind it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Make a new private key in this file instead, and print its public half
    #[arg(long, value_name = "FILE", conflicts_with_all = ["document", "key", "output"])]
    generate: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match (&self.generate, &self.document, &self.key) {
            (Some(path), ..) => generate(path)?,
            (None, Some(document), Some(key)) => self.sign(document, key)?,
            _ => unreachable!("the command line asks for a document and a key"),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn sign(&self, document: &Path, key: &Path) -> Result<()> {
        let pem = Zeroizing::new(fs::read(key).map_err(at(key))?);
        // What is no text is no key either; the key's parser says so.
        let key =
            OwnerKey::from_pem(str::from_utf8(&pem).unwrap_or_default()).map_err(blame(key))?;
        let bytes = fs::read(document).map_err(at(document))?;
        let signature = key.sign(&bytes).map_err(blame(document))?;
        let output = self.output.clone();
        let output = output.unwrap_or_else(|| signature_path(document));
        Ok(fs::write(&output, signature.to_der()).map_err(at(&output))?)
    }
}

fn generate(path: &Path) -> Result<()> {
    let key = OwnerKey::generate().map_err(blame(path))?;
    let pem = key.to_pem().map_err(blame(path))?;
    let mut options = OpenOptions::new();
    // A key is never overwritten, and nobody else reads it.
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(at(path))?;
    file.write_all(pem.as_bytes()).map_err(at(path))?;
    file.sync_all().map_err(at(path))?;
    let text = format!("[owner]\nkey = \"{}\"\n", key.public());
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Says which file it is that is wrong.
pub(super) fn blame(path: &Path) -> impl Fn(OwnerError) -> Blame {
    move |error| Blame {
        code: Code::Document,
        message: format!("{}: {error}", path.display()),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::File {
        path: path.to_owned(),
        source,
    }
}

const KEYS: &str = "\
With OpenSSL, for example for a key that stays where it is:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out owner.pem
  openssl pkey -in owner.pem -pubout -ec_conv_form compressed -outform DER | tail -c 33 | xxd -p -c 33
  openssl dgst -sha256 -sign owner.pem -out app.toml.sig app.toml";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn arguments(document: &Path, key: &Path) -> Arguments {
        Arguments {
            document: Some(document.to_owned()),
            key: Some(key.to_owned()),
            output: None,
            generate: None,
        }
    }

    #[test]
    fn a_signature_lies_beside_its_document_and_is_the_owners() {
        let folder = tempfile::tempdir().unwrap();
        let (key, document) = (folder.path().join("key"), folder.path().join("app.toml"));
        generate(&key).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        assert!(generate(&key).is_err(), "a key is never overwritten");
        let owner = OwnerKey::from_pem(&fs::read_to_string(&key).unwrap()).unwrap();
        let digest = "01".repeat(32);
        let text = format!(
            "version = 1\n[application]\nname = \"a\"\nversion = 1\n[module]\nsha256 = \"{digest}\"\n\
             wasm_sha256 = \"{digest}\"\nengine = \"e\"\n"
        );
        fs::write(&document, &text).unwrap();
        let refused = arguments(&document, &key).run().unwrap_err().to_string();
        assert!(refused.contains("names no owner"), "{refused}");
        fs::write(
            &document,
            format!("{text}[owner]\nkey = \"{}\"\n", owner.public()),
        )
        .unwrap();
        arguments(&document, &key).run().unwrap();
        let signature = super::super::signature_beside(&document).unwrap().unwrap();
        let bytes = fs::read(&document).unwrap();
        signature.verify(&bytes, owner.public()).unwrap();
    }
}
