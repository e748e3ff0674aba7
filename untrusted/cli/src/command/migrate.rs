//! `twine migrate`: volumes move from one image of the runtime to another.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine::{BackendChoice, Migration, Runtime};

use super::mounts::pair;
use super::{hex, image, signature_beside};

/// Move an application's volumes from an old image of the runtime to the one that is part of this program
///
/// Volumes with `runtime = "image"` open in no other image than the one that made them. The launch document lets them go, in
/// `migration.to`, and come, in `migration.from`, each with the image's MRENCLAVE; and both images have to be started with
/// that same document.
///
/// Afterwards only the new image opens the volumes. Before you update this program, keep its image: `twine image sgxs`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A launch document
    file: PathBuf,
    /// The old image: an ELF or SGXS file
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The file behind a volume that the launch document mounts. May be repeated
    #[arg(long, value_name = "FILE::GUEST", value_parser = pair, required = true)]
    volume: Vec<(PathBuf, String)>,
    /// Move the volumes of debug enclaves
    #[arg(long)]
    debug: bool,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let new = Runtime::builder().backend(BackendChoice::Auto).build()?;
        let old = image::load(&self.from)?;
        let old = Runtime::builder().beside(&new).image(old).build()?;
        let document = image::read(&self.file)?;
        let mut migration = Migration::new(&old, &new, &document)?;
        if let Some(signature) = signature_beside(&self.file)? {
            migration = migration.signature(signature);
        }
        if self.debug {
            migration = migration.debuggable();
        }
        for (file, guest) in &self.volume {
            migration = migration.volume(guest, file);
        }
        log::info!("from  {}", hex(&old.mrenclave()));
        log::info!("to    {}", hex(&new.mrenclave()));
        migration.run()?;
        Ok(ExitCode::SUCCESS)
    }
}
