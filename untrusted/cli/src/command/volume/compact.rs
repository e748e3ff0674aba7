//! `twine volume compact`: unused space back to the disk.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Target, print};

/// Make a volume's file as short as its contents
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let mut volume = self.target.write()?;
        let freed = volume.compact()?;
        let size = volume.statistics().size;
        volume.close()?;
        print(&format!("{freed} bytes given back, {size} left\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
