//! From a launch document's mounts to file systems.

use alloc::boxed::Box;
use alloc::vec::Vec;

use twine_launch::{LaunchDocument, MountKind};

use crate::error::Error;
use crate::files::{Access, FileSystem, Mount, ProtectedFiles, Tmpfs, TmpfsLimits};
use crate::identity::Identity;
use crate::limits::TMPFS_INODE_LEN;
use crate::platform::Platform;
use crate::volume::{self, VolumeKeys};

/// Opens what the document mounts, in its order.
///
/// # Errors
/// [`Error::Volume`], [`Error::Directory`]. What was opened before is closed by being dropped: nothing was written.
pub(crate) fn mount(
    platform: &mut dyn Platform,
    identity: &Identity,
    document: &LaunchDocument,
    keys: &VolumeKeys,
) -> Result<Vec<Mount>, Error> {
    let mounts = document.mounts.iter().enumerate();
    mounts
        .map(|(position, mount)| {
            let files: Box<dyn FileSystem> = match &mount.kind {
                MountKind::Volume(policy) => {
                    let program = (identity, document);
                    let mounted = (mount, policy);
                    let volume = volume::open(platform, program, keys, position, mounted)?;
                    Box::new(ProtectedFiles::new(volume))
                }
                MountKind::Tmpfs { size_bytes } => Box::new(tmpfs(platform, *size_bytes)),
                MountKind::Host => {
                    platform
                        .open_directory(position)
                        .map_err(|fault| Error::Directory {
                            guest: mount.guest.clone(),
                            fault,
                        })?
                }
            };
            Ok(Mount {
                path: mount.guest.clone(),
                files,
                access: if mount.read_only {
                    Access::ReadOnly
                } else {
                    Access::ReadWrite
                },
            })
        })
        .collect()
}

fn tmpfs(platform: &mut dyn Platform, bytes: u64) -> Tmpfs {
    let services = platform.services();
    let limits = TmpfsLimits {
        bytes,
        inodes: bytes / TMPFS_INODE_LEN,
    };
    Tmpfs::new(limits, Box::new(move || services.now()))
}
