//! What the caller says about file systems: for a generated launch document what is mounted, and for every document what
//! stands behind the mounts.

use std::path::{Path, PathBuf};

use twine_launch::{Binding, Draft, KeySource, Mount, MountKind, RuntimeBinding, VolumePolicy};

use super::run::Backings;
use crate::error::Error;
use crate::serve::{FileAccess, HostDirectory, Mounted, VolumeFile};

/// Mounts for a generated document, and files for any.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    generated: Vec<Mount>,
    backings: Vec<Backing>,
}

/// What stands behind a mount.
#[derive(Debug)]
struct Backing {
    guest: String,
    kind: &'static str,
    path: PathBuf,
}

impl Mounts {
    /// The mounts of a generated document.
    pub(super) fn generated(&self) -> &[Mount] {
        &self.generated
    }

    pub(super) fn volume(&mut self, guest: String, path: PathBuf) {
        let kind = MountKind::Volume(VolumePolicy {
            create: false,
            key: KeySource::Sealed {
                bound_to: Binding::Module,
                runtime: RuntimeBinding::Signer,
            },
        });
        self.back(guest, path, kind);
    }

    pub(super) fn host_directory(&mut self, guest: String, path: PathBuf) {
        self.back(guest, path, MountKind::Host);
    }

    fn back(&mut self, guest: String, path: PathBuf, kind: MountKind) {
        self.backings.push(Backing {
            guest: guest.clone(),
            kind: kind.name(),
            path,
        });
        self.mount(guest, kind);
    }

    pub(super) fn tmpfs(&mut self, guest: String, size_bytes: u64) {
        self.mount(guest, MountKind::Tmpfs { size_bytes });
    }

    fn mount(&mut self, guest: String, kind: MountKind) {
        self.generated.push(Mount {
            guest,
            kind,
            read_only: false,
        });
    }

    pub(super) fn create_volumes(&mut self) {
        for mount in &mut self.generated {
            if let MountKind::Volume(policy) = &mut mount.kind {
                policy.create = true;
            }
        }
    }

    /// Makes a mount read-only; the path comes back if nothing is mounted there.
    pub(super) fn read_only(&mut self, guest: &str) -> Option<()> {
        let mount = self
            .generated
            .iter_mut()
            .find(|mount| mount.guest == guest)?;
        mount.read_only = true;
        Some(())
    }

    /// Opens what stands behind the document's mounts.
    pub(super) fn open(&self, document: &Draft) -> Result<Backings, Error> {
        self.open_those(document, |_| true)
    }

    /// Opens the volumes behind the document's mounts that are there, and nothing else.
    pub(super) fn open_volumes(&self, document: &Draft) -> Result<Backings, Error> {
        let mut existing = document.clone();
        for mount in &mut existing.mounts {
            if let MountKind::Volume(policy) = &mut mount.kind {
                policy.create = false;
            }
        }
        self.open_those(&existing, |kind| matches!(kind, MountKind::Volume(_)))
    }

    fn open_those(
        &self,
        document: &Draft,
        are_meant: impl Fn(&MountKind) -> bool,
    ) -> Result<Backings, Error> {
        for backing in &self.backings {
            let meant =
                |mount: &&Mount| mount.guest == backing.guest && mount.kind.name() == backing.kind;
            if document.mounts.iter().find(meant).is_none() {
                return Err(Error::NoSuchMount {
                    guest: backing.guest.clone(),
                    kind: backing.kind,
                });
            }
        }
        let mut backings = Backings::new();
        let mounts = (0..).zip(&document.mounts);
        for (position, mount) in mounts.filter(|(_, mount)| are_meant(&mount.kind)) {
            let create = matches!(&mount.kind, MountKind::Volume(policy) if policy.create);
            let access = match (mount.read_only, create) {
                (true, _) => FileAccess::Read,
                (false, true) => FileAccess::Create,
                (false, false) => FileAccess::Write,
            };
            let mounted = match &mount.kind {
                MountKind::Tmpfs { .. } => continue,
                MountKind::Host => {
                    Mounted::Directory(HostDirectory::open(self.behind(mount)?, access)?)
                }
                MountKind::Volume(_) => {
                    Mounted::Volume(VolumeFile::open(self.behind(mount)?, access)?)
                }
            };
            backings.insert(position, mounted);
        }
        Ok(backings)
    }

    fn behind(&self, mount: &Mount) -> Result<&Path, Error> {
        let found = self
            .backings
            .iter()
            .find(|backing| backing.guest == mount.guest);
        match found {
            Some(backing) => Ok(&backing.path),
            None => Err(Error::NoBacking {
                guest: mount.guest.clone(),
                kind: mount.kind.name(),
            }),
        }
    }
}
