//! A volume on this machine: created, unlocked, closed; its key slots, and its key.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twine_fs::{
    Access, Holder, HostPlatform, KeySlots, Options, Slot, SlotKind, Statistics, Suite, VolumeKey,
};
use twine_recovery::PublicKey;

use crate::error::{Error, Result, at};
use crate::passphrase::Cost;
use crate::secret::{NewHolder, Secret, Unlocked, random};
use crate::store::VolumeFile;

/// An open volume. Dropping it forgets what was not synced.
pub struct Volume {
    pub(crate) fs: twine_fs::Volume,
    path: PathBuf,
    slot: usize,
}

/// A key slot, as anybody can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// The slot's number.
    pub number: usize,
    /// Who can open it.
    pub kind: SlotKind,
    /// The work for one try of a passphrase.
    pub cost: Option<Cost>,
    /// For whom a recovery slot is.
    pub recipient: Option<PublicKey>,
}

/// What a new volume key may do to holders whose secrets are not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nothing: then there is no new key.
    Keep,
    /// Lock them out.
    Remove,
}

impl Volume {
    /// Creates an empty volume in a new file, with a slot for each holder.
    ///
    /// # Errors
    /// [`Error::File`] if the file exists or cannot be written; [`Error::Volume`]. A file that came of a failure is removed.
    pub fn create(path: &Path, suite: Suite, holders: &[NewHolder<'_>]) -> Result<Self> {
        let file = VolumeFile::create(path).map_err(at(path))?;
        let created = Self::create_in(path, file, suite, holders);
        if created.is_err() {
            // The error that matters is the one being returned.
            let _ = std::fs::remove_file(path);
        }
        created
    }

    fn create_in(
        path: &Path,
        file: VolumeFile,
        suite: Suite,
        holders: &[NewHolder<'_>],
    ) -> Result<Self> {
        let fs = twine_fs::Volume::create(
            Box::new(file),
            Box::new(HostPlatform),
            VolumeKey::new(random()?),
            suite,
            Options::default(),
        );
        let mut volume = Self {
            fs: fs.map_err(in_volume(path))?,
            path: path.to_owned(),
            slot: 0,
        };
        for holder in holders {
            volume.add_slot(holder)?;
        }
        sync_parent(path).map_err(at(path))?;
        Ok(volume)
    }

    /// Opens a volume. `capacity` is how many bytes it may grow to; 0: as far as the disk goes.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::InUse`], [`Error::NoSlot`], [`Error::WrongSecret`], [`Error::UnreasonableSlot`],
    /// [`Error::Volume`].
    pub fn open(path: &Path, access: Access, secret: &Secret, capacity: u64) -> Result<Self> {
        let options = || Options {
            access,
            capacity,
            ..Options::default()
        };
        Self::open_with(path, access, secret, options)
    }

    /// As [`open`](Self::open), with all options; more than one mount may be tried.
    pub(crate) fn open_with(
        path: &Path,
        access: Access,
        secret: &Secret,
        options: impl Fn() -> Options,
    ) -> Result<Self> {
        let store = Arc::new(open_file(path, access)?);
        let mount = |key| {
            let store = Box::new(Arc::clone(&store));
            twine_fs::Volume::open(store, Box::new(HostPlatform), key, options())
        };
        let copies = KeySlots::copies(&*store).map_err(in_volume(path))?;
        let mut refused = None;
        for slots in &copies {
            match secret.unlock(slots) {
                // The slots' seal says that this is the volume's key. Either the other copy is of the key that fits, as a
                // new one was being brought in, or somebody changed the superblocks.
                Unlocked::Slot(slot, key) => match mount(key) {
                    Err(twine_fs::Error::WrongKey) => {
                        refused = Some(in_volume(path)(twine_fs::Error::Tampered { block: 0 }));
                    }
                    opened => {
                        let path = path.to_owned();
                        let fs = opened.map_err(in_volume(&path))?;
                        return Ok(Self { fs, path, slot });
                    }
                },
                Unlocked::Refused(twine_fs::Error::WrongKey) => {
                    refused = Some(Error::WrongSecret {
                        path: path.to_owned(),
                        what: secret.name(),
                    });
                }
                Unlocked::Refused(error) => refused = Some(in_volume(path)(error)),
                Unlocked::Unusable(error) => refused = Some(error),
                Unlocked::NoSlot => {}
            }
        }
        Err(refused.unwrap_or_else(|| {
            // A key that fits nothing tells whether this is a volume at all.
            match mount(VolumeKey::new([0; 32])) {
                Err(error) if error != twine_fs::Error::WrongKey => in_volume(path)(error),
                _ => Error::NoSlot {
                    path: path.to_owned(),
                    what: secret.name(),
                },
            }
        }))
    }

    /// Syncs and closes.
    ///
    /// # Errors
    /// [`Error::Volume`].
    pub fn close(self) -> Result<()> {
        self.fs.close().map_err(in_volume(&self.path))
    }

    /// The slot that was opened.
    #[must_use]
    pub const fn slot(&self) -> usize {
        self.slot
    }

    /// What the file system tells about itself.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.fs.statistics()
    }

    /// The file system, for what it tells about itself.
    #[must_use]
    pub const fn fs(&self) -> &twine_fs::Volume {
        &self.fs
    }

    /// The key slots, authenticated.
    ///
    /// # Errors
    /// [`Error::Volume`].
    pub fn slots(&self) -> Result<Vec<SlotInfo>> {
        let slots = self.fs.key_slots().map_err(in_volume(&self.path))?;
        Ok(describe(&slots))
    }

    /// Adds a slot and returns its number.
    ///
    /// # Errors
    /// [`Error::UnusablePublicKey`], [`Error::UnreasonableCost`], [`Error::Volume`].
    pub fn add_slot(&mut self, holder: &NewHolder<'_>) -> Result<usize> {
        let lock = holder.lock(&self.fs.uuid())?;
        self.fs
            .add_slot(lock.kind, &lock.parameters, &lock.secret)
            .map_err(in_volume(&self.path))
    }

    /// Removes a slot, but not the last one.
    ///
    /// # Errors
    /// [`Error::LastSlot`], [`Error::Volume`].
    pub fn remove_slot(&mut self, number: usize) -> Result<()> {
        let slots = self.slots()?;
        if matches!(&slots[..], [last] if last.number == number) {
            return Err(Error::LastSlot { number });
        }
        self.fs.remove_slot(number).map_err(in_volume(&self.path))
    }

    /// Draws a new volume key. Whoever opened this volume with `secret` keeps access, and so do all holders of recovery keys,
    /// for whom the public half suffices. Returns the slots of those who were locked out.
    ///
    /// What lies in the volume is still sealed under keys that an old holder may have kept: see
    /// [`refresh`](Self::refresh).
    ///
    /// # Errors
    /// [`Error::WouldLockOut`] if there are others and they are to be kept; [`Error::Volume`].
    pub fn rekey(&mut self, secret: &Secret, others: Others) -> Result<Vec<usize>> {
        let (mut kept, mut lost) = (Vec::new(), Vec::new());
        for slot in self.slots()? {
            let own = slot.number == self.slot;
            let holder = match (secret, slot.cost, slot.recipient) {
                (_, _, Some(recipient)) => NewHolder::Recovery(recipient),
                (Secret::Passphrase(passphrase), Some(cost), _) if own => {
                    NewHolder::Passphrase(passphrase, cost)
                }
                (Secret::Provisioned(key), ..) if own => NewHolder::Provisioned(key),
                _ => {
                    lost.push(slot.number);
                    continue;
                }
            };
            kept.push((own, holder.lock(&self.fs.uuid())?));
        }
        if others == Others::Keep && !lost.is_empty() {
            return Err(Error::WouldLockOut { numbers: lost });
        }
        let holders: Vec<_> = kept
            .iter()
            .map(|(_, lock)| Holder {
                kind: lock.kind,
                parameters: &lock.parameters,
                secret: &lock.secret,
            })
            .collect();
        self.fs.rekey(&holders).map_err(in_volume(&self.path))?;
        self.slot = kept.iter().position(|(own, _)| *own).unwrap_or_default();
        Ok(lost)
    }

    /// Rewrites some of what older keys sealed; returns how many blocks, 0 when nothing is left.
    ///
    /// # Errors
    /// [`Error::Volume`]; stopping between two calls is harmless.
    pub fn refresh(&mut self) -> Result<usize> {
        self.fs.refresh().map_err(in_volume(&self.path))
    }

    /// Makes the file as short as its contents; returns by how many bytes it became shorter.
    ///
    /// # Errors
    /// [`Error::Volume`]; stopping halfway is harmless.
    pub fn compact(&mut self) -> Result<u64> {
        let blocks = self.fs.compact().map_err(in_volume(&self.path))?;
        Ok(blocks * twine_fs::limits::BLOCK_LEN as u64)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The key slots of a volume that is not open: the host's word, as nothing is authenticated without a key.
///
/// # Errors
/// [`Error::File`], [`Error::InUse`], [`Error::Volume`].
pub fn slots_of(path: &Path) -> Result<Vec<SlotInfo>> {
    let store = open_file(path, Access::ReadOnly)?;
    let slots = KeySlots::read(&store).map_err(|error| match error {
        twine_fs::Error::NotFound | twine_fs::Error::Host(_) => in_volume(path)(NOT_A_VOLUME),
        other => in_volume(path)(other),
    })?;
    Ok(describe(&slots))
}

pub(crate) fn open_file(path: &Path, access: Access) -> Result<VolumeFile> {
    VolumeFile::open(path, access).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::InUse(path.to_owned()),
        _ => at(path)(error),
    })
}

fn describe(slots: &KeySlots) -> Vec<SlotInfo> {
    let describe = |(number, slot): (usize, &Slot)| {
        let is = |kind| slot.kind == kind;
        let cost = Cost::of_slot(&slot.parameters).filter(|_| is(SlotKind::Passphrase));
        let recipient = PublicKey::of_slot(&slot.parameters).filter(|_| is(SlotKind::Recovery));
        SlotInfo {
            number,
            kind: slot.kind,
            cost: cost.map(|(cost, _)| cost),
            recipient,
        }
    };
    slots.slots().map(describe).collect()
}

/// Makes the file's name durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Names the volume in an error.
pub(crate) fn in_volume(path: &Path) -> impl FnOnce(twine_fs::Error) -> Error + '_ {
    move |source| Error::Volume {
        path: path.to_owned(),
        source: match source {
            // Too short even for the superblocks.
            twine_fs::Error::Host(5) if is_short(path) => NOT_A_VOLUME,
            other => other,
        },
    }
}

fn is_short(path: &Path) -> bool {
    let least = twine_fs::limits::VOLUME_BLOCKS_MIN * twine_fs::limits::BLOCK_LEN as u64;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() < least)
}

const NOT_A_VOLUME: twine_fs::Error = twine_fs::Error::NotAVolume;
