//! The epochs of a volume: which key sealed which sequence, and how many blocks still depend on it.

use alloc::{sync::Arc, vec::Vec};

use zeroize::Zeroizing;

use crate::{
    crypto::{Cipher, Suite},
    error::{Error, Result, malformed},
    format::{
        epochs::Entry,
        reference::{Place, Ref},
    },
    limits::EPOCHS_MAX,
};

/// The keys of a volume, oldest first. A reader holds them while it opens blocks, whatever happens to the volume meanwhile.
#[derive(Clone)]
pub(crate) struct Keyring(Arc<Vec<Key>>);

/// A key and the first sequence it sealed; the next key's first ends its epoch.
#[derive(Clone)]
struct Key {
    first: u64,
    secret: Zeroizing<[u8; 32]>,
    cipher: Cipher,
}

/// All epochs, oldest first. The last one seals; all of them open.
pub(crate) struct Epochs {
    suite: Suite,
    keys: Keyring,
    /// Blocks that depend on each key.
    live: Vec<u64>,
}

impl Keyring {
    /// Opens one block in place.
    ///
    /// # Errors
    /// [`Error::Tampered`] if it is not what the reference names; the bytes are worthless then.
    pub(crate) fn open(&self, at: &Ref, place: &Place, bytes: &mut [u8]) -> Result<()> {
        let address = at.address();
        let opened = match self.opening(at.sequence) {
            Some(cipher) => cipher.open(at.sequence, &place.associated(address), bytes, &at.tag),
            None => Err(()),
        };
        opened.map_err(|()| Error::Tampered { block: address })
    }

    /// The cipher that sealed `sequence`.
    fn opening(&self, sequence: u64) -> Option<&Cipher> {
        let newest = self.0.last().filter(|key| key.first <= sequence);
        newest
            .or_else(|| self.0.get(self.position(sequence)?))
            .map(|key| &key.cipher)
    }

    fn newest(&self) -> &Key {
        match self.0.last() {
            Some(key) => key,
            None => unreachable!("there is always a current epoch"),
        }
    }

    fn position(&self, sequence: u64) -> Option<usize> {
        self.0
            .partition_point(|key| key.first <= sequence)
            .checked_sub(1)
    }
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
        let live = entries.iter().map(|entry| entry.live).collect();
        let keys = entries.into_iter().map(|entry| Key::new(suite, entry));
        let keys = Keyring(Arc::new(keys.collect()));
        Ok(Self { suite, keys, live })
    }

    /// Starts a new epoch for everything sealed from now on.
    pub(crate) fn begin(&mut self, first: u64, key: Zeroizing<[u8; 32]>) -> Result<()> {
        if self.len() >= EPOCHS_MAX {
            return Err(Error::NoSpace);
        }
        let entry = Entry {
            first,
            live: 0,
            key,
        };
        Arc::make_mut(&mut self.keys.0).push(Key::new(self.suite, entry));
        self.live.push(0);
        Ok(())
    }

    /// What opens blocks.
    pub(crate) const fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// First sequence of the current epoch.
    pub(crate) fn current(&self) -> u64 {
        self.keys.newest().first
    }

    /// The current epoch, as the superblock records it.
    pub(crate) fn current_entry(&self) -> Entry {
        self.entry(self.len() - 1)
    }

    /// The cipher that seals new blocks.
    pub(crate) fn sealing(&self) -> &Cipher {
        &self.keys.newest().cipher
    }

    /// A block sealed with `sequence` is now reachable.
    pub(crate) fn add_live(&mut self, sequence: u64) {
        if let Some(live) = self.live_at(sequence) {
            *live += 1;
        }
    }

    /// A block sealed with `sequence` is no longer reachable.
    pub(crate) fn remove_live(&mut self, sequence: u64) {
        if let Some(live) = self.live_at(sequence) {
            *live = live.saturating_sub(1);
        }
    }

    /// The epochs before the current one that a superblock must list.
    pub(crate) fn older(&self) -> Vec<Entry> {
        (0..self.len() - 1).map(|at| self.entry(at)).collect()
    }

    /// Forgets the keys of epochs that nothing depends on.
    pub(crate) fn prune(&mut self) {
        let current = self.current();
        let mut live = self.live.iter();
        if self.live.iter().rev().skip(1).any(|&live| live == 0) {
            Arc::make_mut(&mut self.keys.0)
                .retain(|key| live.next().is_some_and(|&live| live > 0) || key.first == current);
            let mut left = self.len();
            self.live.retain(|&live| {
                left -= 1;
                live > 0 || left == 0
            });
        }
    }

    /// How many epochs there are.
    pub(crate) const fn len(&self) -> usize {
        self.live.len()
    }

    /// All epochs' first sequences and live blocks, oldest first.
    pub(crate) fn census(&self) -> Vec<(u64, u64)> {
        let firsts = self.keys.0.iter().map(|key| key.first);
        firsts.zip(self.live.iter().copied()).collect()
    }

    fn entry(&self, at: usize) -> Entry {
        match (self.keys.0.get(at), self.live.get(at)) {
            (Some(key), Some(&live)) => Entry {
                first: key.first,
                live,
                key: key.secret.clone(),
            },
            _ => unreachable!("one number for each key"),
        }
    }

    fn live_at(&mut self, sequence: u64) -> Option<&mut u64> {
        // Nearly always the newest; a search would be felt in every commit.
        if self.current() <= sequence {
            return self.live.last_mut();
        }
        let at = self.keys.position(sequence)?;
        self.live.get_mut(at)
    }
}

impl Key {
    fn new(suite: Suite, entry: Entry) -> Self {
        Self {
            first: entry.first,
            cipher: Cipher::new(suite, &entry.key),
            secret: entry.key,
        }
    }
}
