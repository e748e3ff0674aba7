//! The epochs of a volume: which key sealed which sequence, and how many blocks still depend on it.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::{
    crypto::{Cipher, Suite},
    error::{Error, Result, malformed},
    format::epochs::Entry,
    limits::EPOCHS_MAX,
};

/// One key and the sequences it covers, up to the next epoch's first.
struct Epoch {
    entry: Entry,
    cipher: Cipher,
}

/// All epochs, oldest first. The last one seals; all of them open.
pub(crate) struct Epochs {
    suite: Suite,
    all: Vec<Epoch>,
}

impl Epochs {
    /// From the entries of the list and the superblock, which must grow strictly.
    pub(crate) fn new(suite: Suite, entries: Vec<Entry>) -> Result<Self> {
        let grows = entries
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.first < b.first));
        if entries.is_empty() || !grows {
            return Err(malformed("the epochs are not in order"));
        }
        let mut epochs = Self {
            suite,
            all: Vec::new(),
        };
        entries.into_iter().for_each(|entry| epochs.push(entry));
        Ok(epochs)
    }

    /// Starts a new epoch for everything sealed from now on.
    pub(crate) fn begin(&mut self, first: u64, key: Zeroizing<[u8; 32]>) -> Result<()> {
        if self.all.len() >= EPOCHS_MAX {
            return Err(Error::NoSpace);
        }
        self.push(Entry {
            first,
            live: 0,
            key,
        });
        Ok(())
    }

    fn push(&mut self, entry: Entry) {
        let cipher = Cipher::new(self.suite, &entry.key);
        self.all.push(Epoch { entry, cipher });
    }

    pub(crate) fn current(&self) -> &Entry {
        match self.all.last() {
            Some(epoch) => &epoch.entry,
            None => unreachable!("there is always a current epoch"),
        }
    }

    /// The cipher that seals new blocks.
    pub(crate) fn sealing(&self) -> &Cipher {
        match self.all.last() {
            Some(epoch) => &epoch.cipher,
            None => unreachable!("there is always a current epoch"),
        }
    }

    /// The cipher that sealed `sequence`.
    pub(crate) fn opening(&self, sequence: u64) -> Option<&Cipher> {
        let newest = self
            .all
            .last()
            .filter(|epoch| epoch.entry.first <= sequence);
        newest
            .or_else(|| self.all.get(self.position(sequence)?))
            .map(|epoch| &epoch.cipher)
    }

    /// A block sealed with `sequence` is now reachable.
    pub(crate) fn add_live(&mut self, sequence: u64) {
        if let Some(epoch) = self.position(sequence).and_then(|at| self.all.get_mut(at)) {
            epoch.entry.live += 1;
        }
    }

    /// A block sealed with `sequence` is no longer reachable.
    pub(crate) fn remove_live(&mut self, sequence: u64) {
        if let Some(epoch) = self.position(sequence).and_then(|at| self.all.get_mut(at)) {
            epoch.entry.live = epoch.entry.live.saturating_sub(1);
        }
    }

    /// The epochs before the current one that a superblock must list.
    pub(crate) fn older(&self) -> Vec<Entry> {
        let older = self.all.split_last().map_or(&[][..], |(_, older)| older);
        older.iter().map(|epoch| epoch.entry.clone()).collect()
    }

    /// Forgets the keys of epochs that nothing depends on.
    pub(crate) fn prune(&mut self) {
        let current = self.current().first;
        self.all
            .retain(|epoch| epoch.entry.live > 0 || epoch.entry.first == current);
    }

    /// How many epochs there are.
    pub(crate) const fn len(&self) -> usize {
        self.all.len()
    }

    /// All epochs' first sequences and live blocks, oldest first.
    pub(crate) fn census(&self) -> Vec<(u64, u64)> {
        self.all
            .iter()
            .map(|epoch| (epoch.entry.first, epoch.entry.live))
            .collect()
    }

    fn position(&self, sequence: u64) -> Option<usize> {
        self.all
            .partition_point(|epoch| epoch.entry.first <= sequence)
            .checked_sub(1)
    }
}
