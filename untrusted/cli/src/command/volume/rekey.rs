//! `twine volume rekey`: a new volume key, and everything sealed anew.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine_volume::Volume;
use twine_volume::fs::Access;
use twine_volume::fs::limits::BLOCK_LEN;
use twine_volume::volume::Others;

use super::{Target, print, progress};

/// Draw a new volume key and rewrite what older keys sealed
///
/// You keep access, and so does every holder of a recovery key. Other passphrases and sealed slots would be lost, as their
/// secrets are not at hand: that has to be allowed. The new key is in force at once; rewriting takes as long as copying the
/// volume, may be interrupted, and goes on with --only-rewrite.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Lock out the holders of other passphrases and sealed slots
    #[arg(long)]
    lock_out_others: bool,
    /// Draw the new key, and leave what lies in the volume as it is
    #[arg(long, conflicts_with = "only_rewrite")]
    only_key: bool,
    /// Keep the key, and rewrite what older mounts sealed
    #[arg(long)]
    only_rewrite: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let secret = self.target.unlock.secret(&self.target.volume)?;
        let mut volume = Volume::open(&self.target.volume, Access::ReadWrite, &secret, 0)?;
        if !self.only_rewrite {
            let others = if self.lock_out_others {
                Others::Remove
            } else {
                Others::Keep
            };
            let lost = volume.rekey(&secret, others)?;
            print("new volume key in force\n")?;
            for number in lost {
                log::warn!("the holder of what was slot {number} is locked out");
            }
        }
        if !self.only_key {
            let rewritten = rewrite(&mut volume)?;
            print(&format!("{rewritten} bytes sealed anew\n"))?;
        }
        volume.close()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn rewrite(volume: &mut Volume) -> Result<u64> {
    let bar = progress::bar(Some(volume.statistics().used));
    let mut total = 0;
    loop {
        let step = volume.refresh()? as u64 * BLOCK_LEN as u64;
        if step == 0 {
            bar.finish_and_clear();
            return Ok(total);
        }
        bar.inc(step);
        total += step;
    }
}
