//! A model of Intel's protected file system, for comparison only: its shape and its costs, not its format. With and without
//! what the paper changed.
//!
//! ```text
//!   metadata node ── first 3,072 bytes of the file, key of the root
//!        └── MHT node: keys and tags of 96 data nodes and 32 MHT nodes ──► MHT node …
//!                └── data node: 4,096 bytes; since the file is shifted by 3,072, a page of SQLite's spans two
//! ```
//!
//! What is kept of the original (linux-sgx, `sdk/protected_fs`): nodes of 4,096 bytes in fixed places; a fresh key for every
//! node that is written; at most 48 nodes in memory, least recently used; if a changed node has to go, all changed nodes are
//! written, with a recovery file of their old contents; an exit for every node read or written. In the form of the SDK, each
//! node that comes in costs a structure of two cleared buffers and a copy from the host's memory before it is deciphered, and is
//! wiped when it goes. What the paper changed: nothing is cleared, and nodes are deciphered straight from the host's memory.
//!
//! The model is given this project's cipher, AEGIS-128L, which is faster than the original's AES-GCM. A host that is not
//! honest is no part of it.

mod files;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use files::Files;

use std::cell::Cell;
use std::fs::File;
use std::hint;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use aegis::aegis128l::Aegis128L;

/// Which form is modelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// As in the SDK.
    Sdk,
    /// As the paper changed it.
    Optimised,
}

/// Where the time goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// Exits, the host's work included.
    pub(crate) host: Duration,
    pub(crate) clearing: Duration,
    pub(crate) copying: Duration,
    pub(crate) cipher: Duration,
}

/// Where files note what they spend; clones are the same.
pub(crate) type Ledger = Rc<Cell<Spent>>;

const NODE: usize = 4096;

/// How much of the file is in the metadata node.
const HEAD: usize = 3072;

/// Nodes in memory.
const CACHE: usize = 48;

type Buffer = [u8; NODE];

/// The key of a node, and its tag.
type Secret = ([u8; 16], [u8; 16]);

/// One protected file.
pub(crate) struct Pfs {
    host: File,
    recovery: File,
    form: Form,
    exit: Duration,
    cache: Vec<Cached>,
    /// Buffers of nodes that are gone, not cleared: the paper's form.
    spare: Vec<Box<Buffer>>,
    clock: u64,
    /// Keys handed out so far: the next one is fresh, which is all that a model needs.
    keys: u128,
    head: Box<[u8; HEAD]>,
    size: u64,
    root: Secret,
    untrusted: Box<Buffer>,
    spent: Ledger,
}

/// A node in memory.
struct Cached {
    /// Its place in the file.
    at: u64,
    used: u64,
    dirty: bool,
    plain: Box<Buffer>,
    /// What it was in the file; the form of the paper does not keep that.
    cipher: Option<Box<Buffer>>,
}

impl Spent {
    /// What has been spent since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            host: self.host.saturating_sub(before.host),
            clearing: self.clearing.saturating_sub(before.clearing),
            copying: self.copying.saturating_sub(before.copying),
            cipher: self.cipher.saturating_sub(before.cipher),
        }
    }
}

impl Pfs {
    /// An empty file in one of the host's, with its recovery file; `exit` is what leaving the enclave costs.
    pub(crate) fn new(
        (host, recovery): (File, File),
        form: Form,
        exit: Duration,
        spent: Ledger,
    ) -> Self {
        Self {
            host,
            recovery,
            form,
            exit,
            cache: Vec::with_capacity(CACHE),
            spare: Vec::new(),
            clock: 0,
            keys: 0,
            head: Box::new([0; HEAD]),
            size: 0,
            root: Secret::default(),
            untrusted: Box::new([0; NODE]),
            spent,
        }
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Notes what was spent.
    fn note(&self, note: impl FnOnce(&mut Spent)) {
        let mut spent = self.spent.get();
        note(&mut spent);
        self.spent.set(spent);
    }

    /// Reads at an offset, to the end of the file at most.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn read(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.size.saturating_sub(offset);
        let len = into.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        let (into, _) = into.split_at_mut(len);
        for part in parts(offset, len) {
            let target = &mut into[part.done..part.done + part.len];
            match part.node {
                None => target.copy_from_slice(&self.head[part.start..part.start + part.len]),
                Some(number) => {
                    let at = self.load_data(number)?;
                    let node = &self.cache[at].plain;
                    target.copy_from_slice(&node[part.start..part.start + part.len]);
                }
            }
        }
        Ok(len)
    }

    /// Writes at an offset.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        for part in parts(offset, data.len()) {
            let source = &data[part.done..part.done + part.len];
            match part.node {
                None => self.head[part.start..part.start + part.len].copy_from_slice(source),
                Some(number) => {
                    let at = self.load_data(number)?;
                    let node = &mut self.cache[at];
                    node.plain[part.start..part.start + part.len].copy_from_slice(source);
                    node.dirty = true;
                }
            }
        }
        self.size = self.size.max(offset + data.len() as u64);
        Ok(())
    }

    /// Makes the file this long: longer, or empty. The original cannot cut files at all.
    ///
    /// # Errors
    /// For any other length.
    pub(crate) fn set_size(&mut self, size: u64) -> io::Result<()> {
        if size == 0 {
            self.cache.clear();
            self.root = Secret::default();
            self.head.fill(0);
            self.host.set_len(0)?;
        } else if size < self.size {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.size = size;
        Ok(())
    }

    /// Writes all that changed, and has the host make it durable.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.leave(|file| file.host.sync_data())
    }

    /// Leaves the enclave for the host to do something.
    fn leave<T>(&mut self, act: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let start = Instant::now();
        while start.elapsed() < self.exit {
            hint::spin_loop();
        }
        let result = act(self);
        self.note(|spent| spent.host += start.elapsed());
        result
    }

    /// Brings a node in from the file and deciphers it.
    fn bring_in(&mut self, at: u64, secret: &Secret) -> io::Result<Cached> {
        self.leave(|file| {
            file.host
                .read_exact_at(&mut *file.untrusted, at * NODE as u64)
        })?;
        let mut node = self.structure(at);
        let start = Instant::now();
        if let Some(cipher) = &mut node.cipher {
            cipher.copy_from_slice(&hint::black_box(&self.untrusted)[..]);
        }
        let from: &Buffer = node.cipher.as_deref().unwrap_or(&self.untrusted);
        let copied = Instant::now();
        // Where it comes from stays as it is, so deciphering in place begins with a copy: the cipher's own reading.
        node.plain.copy_from_slice(from);
        Aegis128L::<16>::new(&secret.0, &[0; 16])
            .decrypt_in_place(&mut node.plain[..], &secret.1, &[])
            .map_err(|_| io::Error::other("a node of the model does not verify"))?;
        self.note(|spent| {
            spent.copying += copied - start;
            spent.cipher += copied.elapsed();
        });
        Ok(node)
    }

    /// A node of zeros, which nobody has written yet.
    fn fresh(&mut self, at: u64) -> Cached {
        let mut node = self.structure(at);
        node.plain.fill(0);
        node
    }

    /// The structure of a node, whose contents are about to come: cleared in the form of the SDK.
    fn structure(&mut self, at: u64) -> Cached {
        let start = Instant::now();
        let (plain, cipher) = match self.form {
            Form::Sdk => (None, Some(Box::new([0; NODE]))),
            Form::Optimised => (self.spare.pop(), None),
        };
        let node = Cached {
            at,
            used: self.clock,
            dirty: false,
            plain: plain.unwrap_or_else(|| Box::new([0; NODE])),
            cipher,
        };
        if self.form == Form::Sdk {
            hint::black_box(&node);
            self.note(|spent| spent.clearing += start.elapsed());
        }
        node
    }

    /// Gives up nodes that have been used least recently, until there is room for one more.
    fn make_room(&mut self) -> io::Result<()> {
        while self.cache.len() >= CACHE {
            let nodes = self.cache.iter().enumerate();
            let Some((oldest, node)) = nodes.min_by_key(|(_, node)| node.used) else {
                break;
            };
            if node.dirty {
                self.flush()?;
            }
            let mut node = self.cache.swap_remove(oldest);
            match self.form {
                Form::Sdk => {
                    let start = Instant::now();
                    node.plain.fill(0);
                    hint::black_box(&node.plain);
                    self.note(|spent| spent.clearing += start.elapsed());
                }
                Form::Optimised => self.spare.push(node.plain),
            }
        }
        Ok(())
    }

    fn fresh_key(&mut self) -> [u8; 16] {
        self.keys += 1;
        self.keys.to_le_bytes()
    }
}

/// A part of a read or a write that lies in one node.
struct Part {
    /// The data node, or `None` for the metadata node.
    node: Option<u64>,
    start: usize,
    len: usize,
    /// How much came before.
    done: usize,
}

/// Cuts a stretch of the file at the borders of nodes.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = Part> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let left = len.checked_sub(done).filter(|left| *left > 0)?;
        let at = usize::try_from(offset).ok()? + done;
        let (node, start, room) = match at.checked_sub(HEAD) {
            None => (None, at, HEAD - at),
            Some(at) => (Some((at / NODE) as u64), at % NODE, NODE - at % NODE),
        };
        let part = Part {
            node,
            start,
            len: left.min(room),
            done,
        };
        done += part.len;
        Some(part)
    })
}
