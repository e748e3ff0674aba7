//! `twine image sign`: at once, or in two steps around a key that stays where it is.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use twine::launch::create::Debugging;
use twine::sign::{
    Certificate, PrivateKey, PublicKey, SECURITY_VERSION, SecurityVersion, Statement, development,
};
use twine::state::Directories;

use super::{Source, read, write};

/// Sign the image: write its SIGSTRUCT
///
/// Without further options the signature is made with the development key of this user.
#[derive(Args, Debug)]
#[command(after_help = TWO_STEPS)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Where to write the SIGSTRUCT, or the bytes to be signed with --step1; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Sign for debug launches, which protect nothing
    #[arg(long)]
    debug: bool,
    /// The security version (ISVSVN)
    #[arg(long, value_name = "NUMBER", default_value_t = SECURITY_VERSION.0)]
    svn: u16,
    /// Sign with this key: RSA, 3072 bits, exponent 3, in PEM form without password
    #[arg(long, value_name = "FILE", conflicts_with_all = ["step1", "step2"])]
    key: Option<PathBuf>,
    /// Write the bytes to be signed
    #[arg(long, help_heading = "Two steps", conflicts_with = "step2")]
    step1: bool,
    /// Join a signature that was made elsewhere, and check it
    #[arg(long, help_heading = "Two steps", requires_all = ["public_key", "signature"])]
    step2: bool,
    /// The public key, in PEM form
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Two steps",
        requires = "step2"
    )]
    public_key: Option<PathBuf>,
    /// The signature, as `openssl dgst` writes it
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Two steps",
        requires = "step2"
    )]
    signature: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<()> {
        let statement = self.statement()?;
        if self.step1 {
            return write(&self.output, &statement.to_sign());
        }
        let certificate = match (&self.public_key, &self.signature) {
            (Some(key), Some(signature)) => join(&statement, key, signature)?,
            _ => statement.sign(&self.key()?)?,
        };
        write(&self.output, &certificate.sigstruct().to_bytes())
    }

    fn statement(&self) -> Result<Statement> {
        let debugging = if self.debug {
            Debugging::Allowed
        } else {
            Debugging::Forbidden
        };
        let mrenclave = self.source.load()?.mrenclave();
        Ok(Statement::new(
            mrenclave,
            debugging,
            SecurityVersion(self.svn),
        ))
    }

    fn key(&self) -> Result<PrivateKey> {
        match &self.key {
            Some(path) => PrivateKey::from_pem(&text(path)?).context(path.display().to_string()),
            None => Ok(development::key(&Directories::of_user()?)?),
        }
    }
}

fn join(statement: &Statement, key: &Path, signature: &Path) -> Result<Certificate> {
    let key = PublicKey::from_pem(&text(key)?).with_context(|| key.display().to_string())?;
    let joined = statement.assemble(&key, &read(signature)?);
    joined.with_context(|| {
        let signature = signature.display();
        format!("{signature} (the image, --debug and --svn must be those of step 1)")
    })
}

/// What is no text is no key either; the key's parser says so.
fn text(path: &Path) -> Result<String> {
    Ok(String::from_utf8(read(path)?).unwrap_or_default())
}

const TWO_STEPS: &str = "\
With a key that stays where it is:
  twine image sign --step1 -o to-sign
  openssl dgst -sha256 -sign key.pem -out signature to-sign
  twine image sign --step2 --public-key key.pub --signature signature -o twine.sigstruct";

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// Runs the command in a folder, where all its files are.
    fn sign(folder: &Path, line: &str) -> Result<Vec<u8>> {
        let output = folder.join("output");
        let words = line.split(' ').map(|word| match word.strip_prefix('@') {
            Some(file) => folder.join(file).display().to_string(),
            None => word.to_owned(),
        });
        let output_words = ["sign".into(), "-o".into(), output.display().to_string()];
        let line = Line::try_parse_from(output_words.into_iter().chain(words))?;
        line.arguments.run()?;
        Ok(fs::read(output)?)
    }

    #[test]
    fn two_steps_around_a_key_give_what_one_step_with_it_gives() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let key = PrivateKey::generate().unwrap();
        fs::write(folder.join("key"), key.to_pem().unwrap()).unwrap();
        fs::write(folder.join("public"), key.public().to_pem().unwrap()).unwrap();

        let at_once = sign(folder, "--svn 7 --key @key").unwrap();
        let certificate = Certificate::from_bytes(&at_once).unwrap();
        assert_eq!(certificate.mrsigner(), key.public().mrsigner());
        assert_eq!(certificate.sigstruct().isv_svn, 7);

        let to_sign = sign(folder, "--svn 7 --step1").unwrap();
        assert_eq!(to_sign, certificate.statement().to_sign());
        // What an external tool writes, most significant byte first.
        let mut signature = certificate.sigstruct().signature;
        signature.reverse();
        fs::write(folder.join("signature"), signature).unwrap();
        let step2 = "--step2 --public-key @public --signature @signature";
        let joined = sign(folder, &format!("--svn 7 {step2}")).unwrap();
        assert_eq!(joined, at_once);

        for other in ["--svn 8", "--svn 7 --debug"] {
            let refused = sign(folder, &format!("{other} {step2}")).expect_err("other bytes");
            assert!(
                format!("{refused:#}").contains("does not fit"),
                "{refused:#}"
            );
        }
    }

    #[test]
    fn options_of_one_way_to_sign_are_refused_with_another() {
        let folder = tempfile::tempdir().unwrap();
        for line in [
            "--step1 --step2",
            "--step2",
            "--step2 --public-key @public",
            "--step1 --key @key",
            "--signature @signature",
        ] {
            let refused = sign(folder.path(), line).expect_err("a wrong command line");
            assert!(refused.is::<clap::Error>(), "{line}: {refused:#}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), [0xff; 100]).unwrap();
        let refused = sign(folder.path(), "--key @key").expect_err("not a key");
        let message = format!("{refused:#}");
        assert!(message.contains("key: not an RSA key"), "{message}");
    }
}
