//! A model of Intel's protected file system, for comparison only: its shape and costs, not its format.
//!
//! What it keeps of the original (linux-sgx, `sdk/protected_fs`): 4096-byte nodes in fixed places; a metadata node that
//! holds the first 3072 bytes of the file, so that every aligned 4 KiB page spans two data nodes; MHT nodes with 96 keys
//! and tags of data nodes and 32 of child nodes; a fresh key for each node; a cache of 48 nodes per file, least recently
//! used; a zeroed buffer and a copy for each node that comes in; wiping on eviction. It is given this crate's cipher. The
//! current SDK maps the file; older ones leave the enclave for each node, which `exit_cost` stands for.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use aegis::aegis128l::Aegis128L;

const NODE: usize = 4096;
const SHIFT: usize = 3072;
const DATA_PER_MHT: usize = 96;
const CHILDREN: usize = 32;
const CACHE: usize = 48;

type Node = Box<[u8; NODE]>;
type Secret = ([u8; 16], [u8; 16]);

/// A protected file in memory, as a mapped one in the page cache.
pub(crate) struct Pfs {
    file: Vec<u8>,
    root: Secret,
    cache: HashMap<usize, (Node, u64)>,
    clock: u64,
    exit_cost: Duration,
}

const fn mht_at(mht: usize) -> usize {
    1 + mht * (DATA_PER_MHT + 1)
}

const fn data_at(data: usize) -> usize {
    mht_at(data / DATA_PER_MHT) + 1 + data % DATA_PER_MHT
}

fn seal(key: [u8; 16], node: &mut [u8]) -> Secret {
    let tag = Aegis128L::<16>::new(&key, &[0; 16]).encrypt_in_place(node, &[]);
    (key, tag)
}

fn put(node: &mut [u8], entry: usize, secret: &Secret) {
    node[entry * 32..entry * 32 + 16].copy_from_slice(&secret.0);
    node[entry * 32 + 16..entry * 32 + 32].copy_from_slice(&secret.1);
}

fn get(node: &[u8; NODE], entry: usize) -> Secret {
    let part = |at: usize| node[at..at + 16].try_into().unwrap();
    (part(entry * 32), part(entry * 32 + 16))
}

impl Pfs {
    /// A file of `data` data nodes; byte n of the shifted contents is n modulo 251.
    pub(crate) fn new(data: usize, exit_cost: Duration) -> Self {
        let mhts = data.div_ceil(DATA_PER_MHT);
        let mut file = vec![0; (mht_at(mhts) + 1) * NODE];
        let mut key = 0u128;
        let mut fresh = || {
            key += 1;
            key.to_le_bytes()
        };
        let mut pending: HashMap<usize, Vec<(usize, Secret)>> = HashMap::new();
        for number in 0..data {
            let node = &mut file[data_at(number) * NODE..][..NODE];
            node.iter_mut()
                .enumerate()
                .for_each(|(at, byte)| *byte = ((number * NODE + at) % 251) as u8);
            let secret = seal(fresh(), node);
            pending
                .entry(number / DATA_PER_MHT)
                .or_default()
                .push((number % DATA_PER_MHT, secret));
        }
        let mut root = Secret::default();
        for mht in (0..mhts).rev() {
            let node = &mut file[mht_at(mht) * NODE..][..NODE];
            for (entry, secret) in pending.remove(&mht).unwrap_or_default() {
                put(node, entry, &secret);
            }
            root = seal(fresh(), node);
            if mht > 0 {
                let entry = DATA_PER_MHT + (mht - 1) % CHILDREN;
                pending
                    .entry((mht - 1) / CHILDREN)
                    .or_default()
                    .push((entry, root));
            }
        }
        Self {
            file,
            root,
            cache: HashMap::new(),
            clock: 0,
            exit_cost,
        }
    }

    /// Reads at an offset of the file as the program sees it, beyond the part in the metadata node.
    pub(crate) fn read(&mut self, offset: usize, into: &mut [u8]) {
        let (mut at, mut done) = (offset - SHIFT, 0);
        while done < into.len() {
            let (data, start) = (at / NODE, at % NODE);
            let len = (NODE - start).min(into.len() - done);
            self.load_data(data);
            let node = &self.cache[&data_at(data)].0;
            into[done..done + len].copy_from_slice(&node[start..start + len]);
            (at, done) = (at + len, done + len);
        }
    }

    fn load_data(&mut self, data: usize) {
        let at = data_at(data);
        if self.touch(at) {
            return;
        }
        self.load_mht(data / DATA_PER_MHT);
        let secret = get(
            &self.cache[&mht_at(data / DATA_PER_MHT)].0,
            data % DATA_PER_MHT,
        );
        self.bring_in(at, &secret);
    }

    fn load_mht(&mut self, mht: usize) {
        if self.touch(mht_at(mht)) {
            return;
        }
        let secret = if mht == 0 {
            self.root
        } else {
            let parent = (mht - 1) / CHILDREN;
            self.load_mht(parent);
            get(
                &self.cache[&mht_at(parent)].0,
                DATA_PER_MHT + (mht - 1) % CHILDREN,
            )
        };
        self.bring_in(mht_at(mht), &secret);
    }

    fn touch(&mut self, at: usize) -> bool {
        self.clock += 1;
        let clock = self.clock;
        self.cache
            .get_mut(&at)
            .map(|entry| entry.1 = clock)
            .is_some()
    }

    fn bring_in(&mut self, at: usize, secret: &Secret) {
        if self.cache.len() >= CACHE {
            let oldest = *self
                .cache
                .iter()
                .min_by_key(|(_, entry)| entry.1)
                .unwrap()
                .0;
            let (mut node, _) = self.cache.remove(&oldest).unwrap();
            node.fill(0);
            std::hint::black_box(&node);
        }
        let left = Instant::now();
        while self.exit_cost > Duration::ZERO && left.elapsed() < self.exit_cost {
            std::hint::spin_loop();
        }
        let mut bounce = [0; NODE];
        bounce.copy_from_slice(&self.file[at * NODE..][..NODE]);
        let mut node: Node = Box::new([0; NODE]);
        node.copy_from_slice(std::hint::black_box(&bounce));
        Aegis128L::<16>::new(&secret.0, &[0; 16])
            .decrypt_in_place(&mut node[..], &secret.1, &[])
            .expect("the model's own nodes verify");
        self.cache.insert(at, (node, self.clock));
    }
}
