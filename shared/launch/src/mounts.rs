//! Mounts: the file systems that a guest sees, and who may read what it writes there.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use crate::document::{Draft, Finding, check_range, check_text};
use crate::error::Problem;
use crate::limits::{MOUNT_PATH_LEN_BYTES_MAX, MOUNTS_COUNT_MAX, TMPFS_BYTES_MAX, TMPFS_BYTES_MIN};

/// A file system that the guest sees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mount {
    /// Where the guest finds it: an absolute path in its shortest form.
    pub guest: String,
    /// What it is.
    pub kind: MountKind,
    /// Whether the guest may only read.
    pub read_only: bool,
}

/// What a mount is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MountKind {
    /// A protected volume: the host keeps its file and learns nothing from it but sizes and times of access.
    Volume(VolumePolicy),
    /// In the enclave's memory; gone when the guest ends.
    Tmpfs {
        /// Most bytes.
        size_bytes: u64,
    },
    /// A directory of the host, **unprotected**: the host reads and changes everything in it.
    Host,
}

/// Who may open a volume, and whether it may be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VolumePolicy {
    /// Whether an empty volume is made if there is none. A host can always take the volume away; only without this the
    /// guest is not started then.
    pub create: bool,
    /// Where its key comes from.
    pub key: KeySource,
}

/// Where a volume's key comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeySource {
    /// Wrapped under a key that the processor gives to the bound program in the bound runtimes alone.
    Sealed {
        /// To which program it is bound.
        bound_to: Binding,
        /// To which runtimes it is bound besides.
        runtime: RuntimeBinding,
    },
    /// From the provisioner, in each launch anew.
    Provisioned,
}

/// To which program a volume's key is bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Binding {
    /// The compiled module, whatever the rest of the launch document says: whoever may choose arguments, environment and
    /// mounts can have the module do with the volume whatever it can be told to do.
    Module,
    /// Exactly this launch document.
    Document,
    /// Every document of the same name that the owner has signed and whose version is not lower than any that has sealed.
    Owner,
}

/// To which runtimes a volume's key is bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RuntimeBinding {
    /// This image alone (MRENCLAVE). A new release needs the key handed over.
    Image,
    /// Every image of the same signer that is not older (MRSIGNER, ISVPRODID, ISVSVN).
    Signer,
}

impl MountKind {
    /// Its name in a document.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Volume(_) => "volume",
            Self::Tmpfs { .. } => "tmpfs",
            Self::Host => "host",
        }
    }
}

impl KeySource {
    /// What a document says behind `bound_to`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sealed { bound_to, .. } => bound_to.name(),
            Self::Provisioned => "provisioner",
        }
    }
}

impl Binding {
    /// Its name in a document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Document => "document",
            Self::Owner => "owner",
        }
    }
}

impl RuntimeBinding {
    /// Its name in a document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Signer => "signer",
        }
    }
}

pub(crate) fn check(draft: &Draft) -> Result<(), Finding> {
    if draft.mounts.len() > MOUNTS_COUNT_MAX {
        let max = MOUNTS_COUNT_MAX;
        return Err(("mounts".into(), Problem::TooMany { max }));
    }
    let mut seen = BTreeSet::new();
    for (index, mount) in draft.mounts.iter().enumerate() {
        let key = format!("mounts[{index}].guest");
        check_path(&key, &mount.guest)?;
        if !seen.insert(&mount.guest) {
            return Err((key, Problem::Repeated));
        }
        check_kind(draft, index, &mount.kind)?;
    }
    // The runtime's own folders are mounts as well.
    let secrets = draft.provisioning.as_ref();
    let secrets = secrets.and_then(|provisioning| provisioning.folder.as_ref());
    let certificate = draft.tls.as_ref().map(|tls| &tls.folder);
    for (key, folder) in [
        ("provisioning.folder", secrets),
        ("tls.folder", certificate),
    ] {
        let Some(folder) = folder else { continue };
        check_path(key, folder)?;
        if !seen.insert(folder) {
            return Err((key.into(), Problem::PathTaken));
        }
    }
    Ok(())
}

fn check_path(key: &str, path: &str) -> Result<(), Finding> {
    check_text(key, path, MOUNT_PATH_LEN_BYTES_MAX)?;
    if !is_shortest_path(path) {
        return Err((key.into(), Problem::NotAPath));
    }
    Ok(())
}

fn check_kind(draft: &Draft, index: usize, kind: &MountKind) -> Result<(), Finding> {
    let needs = |key| {
        let place = format!("mounts[{index}].bound_to");
        Err((place, Problem::Needs { key }))
    };
    match kind {
        MountKind::Tmpfs { size_bytes } => check_range(
            &format!("mounts[{index}].size_bytes"),
            *size_bytes,
            TMPFS_BYTES_MIN..=TMPFS_BYTES_MAX,
        ),
        MountKind::Volume(VolumePolicy { key, .. }) => match key {
            KeySource::Sealed {
                bound_to: Binding::Owner,
                ..
            } if draft.owner.is_none() => needs("owner"),
            KeySource::Provisioned if draft.provisioning.is_none() => needs("provisioning"),
            _ => Ok(()),
        },
        MountKind::Host => Ok(()),
    }
}

fn is_shortest_path(path: &str) -> bool {
    path == "/"
        || path.strip_prefix('/').is_some_and(|names| {
            names
                .split('/')
                .all(|name| !matches!(name, "" | "." | ".."))
        })
}
