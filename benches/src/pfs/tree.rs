//! The tree: where nodes are, whose key is where, and how what changed is written.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use aegis::aegis128l::Aegis128L;

use super::{Cached, NODE, Pfs, Secret};

const DATA_PER_MHT: u64 = 96;
const CHILDREN: u64 = 32;

/// The first node is the metadata's.
const fn mht_at(mht: u64) -> u64 {
    1 + mht * (DATA_PER_MHT + 1)
}

const fn data_at(data: u64) -> u64 {
    mht_at(data / DATA_PER_MHT) + 1 + data % DATA_PER_MHT
}

/// The MHT node that holds a node's key, and the entry there; `None` for the root.
const fn parent(at: u64) -> Option<(u64, usize)> {
    let (mht, below) = ((at - 1) / (DATA_PER_MHT + 1), (at - 1) % (DATA_PER_MHT + 1));
    match (mht, below) {
        (0, 0) => None,
        (mht, 0) => Some((
            (mht - 1) / CHILDREN,
            (DATA_PER_MHT + (mht - 1) % CHILDREN) as usize,
        )),
        (mht, below) => Some((mht, below as usize - 1)),
    }
}

impl Pfs {
    /// Has a data node in memory and returns where in the cache it is.
    pub(super) fn load_data(&mut self, number: u64) -> io::Result<usize> {
        self.load(data_at(number))
    }

    fn load(&mut self, at: u64) -> io::Result<usize> {
        self.clock += 1;
        if let Some(found) = self.find(at) {
            self.cache[found].used = self.clock;
            return Ok(found);
        }
        // Before the key is looked up: making room may write nodes, each under a new key.
        self.make_room()?;
        let secret = match parent(at) {
            None => self.root,
            Some((mht, entry)) => {
                let above = self.load(mht_at(mht))?;
                get(&self.cache[above], entry)
            }
        };
        // Room made on the way may have needed this very node.
        if let Some(found) = self.find(at) {
            self.cache[found].used = self.clock;
            return Ok(found);
        }
        // A node that was never written has no key, and holds zeros.
        let mut node = if secret == Secret::default() {
            self.fresh(at)
        } else {
            self.bring_in(at, &secret)?
        };
        self.clock += 1;
        node.used = self.clock;
        self.cache.push(node);
        Ok(self.cache.len() - 1)
    }

    fn find(&self, at: u64) -> Option<usize> {
        self.cache.iter().position(|node| node.at == at)
    }

    /// Writes every node that changed, and those above them.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.cache.iter().any(|node| node.dirty) {
            return Ok(());
        }
        self.mark_above()?;
        self.keep_old()?;
        let mut dirty: Vec<u64> = self.dirty().map(|node| node.at).collect();
        // A node's key is written into the one above it before that is sealed: data first, then MHT nodes from below.
        dirty.sort_by_key(|at| (is_mht(*at), u64::MAX - at));
        for at in dirty {
            self.write_node(at)?;
        }
        // The metadata node: once with the mark that an update is under way, once without; and the recovery file is emptied.
        let head = [0; NODE];
        for _ in 0..2 {
            self.leave(|file| file.host.write_all_at(&head, 0))?;
        }
        self.leave(|file| file.recovery.set_len(0))
    }

    fn dirty(&self) -> impl Iterator<Item = &Cached> {
        self.cache.iter().filter(|node| node.dirty)
    }

    /// What changed changes everything above it. Bringing that in may need room, which nodes that have not changed give.
    fn mark_above(&mut self) -> io::Result<()> {
        let mut marked: Vec<u64> = self.dirty().map(|node| node.at).collect();
        while let Some(at) = marked.pop() {
            let Some((mht, _)) = parent(at) else { continue };
            let above = match self.find(mht_at(mht)) {
                Some(found) => found,
                None => self.load_beyond(mht_at(mht))?,
            };
            if !self.cache[above].dirty {
                self.cache[above].dirty = true;
                marked.push(mht_at(mht));
            }
        }
        Ok(())
    }

    /// Brings a node in without giving another up.
    fn load_beyond(&mut self, at: u64) -> io::Result<usize> {
        let secret = match parent(at) {
            None => self.root,
            Some((mht, entry)) => {
                let above = match self.find(mht_at(mht)) {
                    Some(found) => found,
                    None => self.load_beyond(mht_at(mht))?,
                };
                get(&self.cache[above], entry)
            }
        };
        let node = if secret == Secret::default() {
            self.fresh(at)
        } else {
            self.bring_in(at, &secret)?
        };
        self.cache.push(node);
        Ok(self.cache.len() - 1)
    }

    /// Keeps the old contents of what is about to be overwritten, in the recovery file.
    fn keep_old(&mut self) -> io::Result<()> {
        let len = self.host.metadata()?.len();
        let old: Vec<u64> = self.dirty().map(|node| node.at).collect();
        let old = old.into_iter().filter(|at| (at + 1) * NODE as u64 <= len);
        for (place, at) in (0..).zip(old) {
            let kept = self
                .find(at)
                .and_then(|found| self.cache[found].cipher.clone());
            self.leave(|file| {
                let old = match &kept {
                    Some(cipher) => cipher,
                    None => {
                        file.host
                            .read_exact_at(&mut *file.untrusted, at * NODE as u64)?;
                        &file.untrusted
                    }
                };
                file.recovery.write_all_at(&old[..], place * NODE as u64)
            })?;
        }
        Ok(())
    }

    /// Seals a node under a fresh key, writes it, and notes the key above.
    fn write_node(&mut self, at: u64) -> io::Result<()> {
        let Some(found) = self.find(at) else {
            return Ok(());
        };
        let key = self.fresh_key();
        let start = Instant::now();
        let mut sealed = self.cache[found].plain.clone();
        let tag = Aegis128L::<16>::new(&key, &[0; 16]).encrypt_in_place(&mut sealed[..], &[]);
        self.note(|spent| spent.cipher += start.elapsed());
        self.leave(|file| file.host.write_all_at(&sealed[..], at * NODE as u64))?;
        let node = &mut self.cache[found];
        node.dirty = false;
        node.cipher = node.cipher.take().map(|_| sealed);
        match parent(at) {
            None => self.root = (key, tag),
            Some((mht, entry)) => {
                if let Some(above) = self.find(mht_at(mht)) {
                    put(&mut self.cache[above], entry, &(key, tag));
                }
            }
        }
        Ok(())
    }
}

const fn is_mht(at: u64) -> bool {
    (at - 1).is_multiple_of(DATA_PER_MHT + 1)
}

fn get(node: &Cached, entry: usize) -> Secret {
    let mut secret = Secret::default();
    secret
        .0
        .copy_from_slice(&node.plain[entry * 32..entry * 32 + 16]);
    secret
        .1
        .copy_from_slice(&node.plain[entry * 32 + 16..entry * 32 + 32]);
    secret
}

fn put(node: &mut Cached, entry: usize, secret: &Secret) {
    node.plain[entry * 32..entry * 32 + 16].copy_from_slice(&secret.0);
    node.plain[entry * 32 + 16..entry * 32 + 32].copy_from_slice(&secret.1);
}
