//! `twine image verify`: whether a SIGSTRUCT is good, and is this image's.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use twine::abi::sgx::AttributeFlags;
use twine::sign::Certificate;

use super::{Source, read};
use crate::command::hex;

/// Check that a SIGSTRUCT is well signed and certifies the image, and show what it says
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The SIGSTRUCT
    file: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<()> {
        let name = || self.file.display().to_string();
        let certificate = Certificate::from_bytes(&read(&self.file)?).with_context(name)?;
        let image = self.source.load()?;
        certificate.check_image(&image).with_context(name)?;
        Ok(io::stdout().write_all(as_text(&certificate).as_bytes())?)
    }
}

fn as_text(certificate: &Certificate) -> String {
    let sigstruct = certificate.sigstruct();
    let debug = sigstruct.attributes.flags.contains(AttributeFlags::DEBUG);
    let form = if debug {
        "debug launches only: they protect nothing"
    } else {
        "production"
    };
    format!(
        "MRENCLAVE  {}\nMRSIGNER   {}\nISVPRODID  {}\nISVSVN     {}\nfor        {form}\n",
        hex(&sigstruct.enclave_hash),
        hex(&certificate.mrsigner()),
        sigstruct.isv_prod_id,
        sigstruct.isv_svn,
    )
}
