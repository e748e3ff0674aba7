//! What a host can look at: its process's memory, inside and outside of the enclave, and its files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use memchr::memmem;

/// What must not be found, or must.
pub(crate) struct Needle {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Bytes to be searched.
#[derive(Default)]
pub(crate) struct Haystack(Vec<Vec<u8>>);

/// The memory of a process.
#[derive(Default)]
pub(crate) struct Seen {
    /// The enclave's, which a host of a real one cannot read.
    pub(crate) inside: Haystack,
    /// All other.
    pub(crate) outside: Haystack,
}

impl Needle {
    pub(crate) fn new(name: &'static str, bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self { name, bytes }
    }
}

impl Haystack {
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn holds(&self, needle: &[u8]) -> bool {
        let finder = memmem::Finder::new(needle);
        self.0.iter().any(|bytes| finder.find(bytes).is_some())
    }
}

/// Longest that is searched for.
const NEEDLE_LEN_MAX: usize = 128;

/// How many pieces of a file are searched for.
const PIECES: usize = 32;

/// Pieces of a file that occur nowhere by chance: 32 bytes of many values, spread over the whole.
pub(crate) fn pieces(name: &'static str, bytes: &[u8]) -> Vec<Needle> {
    let varied = |piece: &&[u8]| piece.iter().collect::<BTreeSet<_>>().len() >= 20;
    let varied: Vec<&[u8]> = bytes.chunks_exact(32).filter(varied).collect();
    assert!(
        varied.len() >= PIECES,
        "too little of the {name} to search for"
    );
    let spread = varied.iter().step_by(varied.len() / PIECES);
    spread.map(|piece| Needle::new(name, piece)).collect()
}

/// Where the emulator puts enclaves: nothing else of a process lies there.
const ENCLAVES: Range<u64> = 1 << 40..65 << 40;

/// Everything that can be read of a process.
pub(crate) fn memory(process: u32) -> Seen {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut seen = Seen::default();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let range = number(start)..number(end);
        let rights = words.next().unwrap();
        // Nothing was ever in pages without any rights; the kernel's own cannot be read.
        if rights.starts_with("---") || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
            continue;
        }
        let side = if ENCLAVES.contains(&range.start) {
            &mut seen.inside
        } else {
            &mut seen.outside
        };
        read(&memory, range, &mut side.0);
    }
    seen
}

/// Reads a range in pieces that overlap, so that nothing hides at a seam.
fn read(memory: &File, range: Range<u64>, into: &mut Vec<Vec<u8>>) {
    const PIECE_LEN: u64 = 4 << 20;
    let overlap = u64::try_from(NEEDLE_LEN_MAX).unwrap();
    let mut at = range.start;
    loop {
        let wanted = (range.end - at).min(PIECE_LEN);
        let mut piece = vec![0; usize::try_from(wanted).unwrap()];
        let len = memory.read_at(&mut piece, at).unwrap_or_default();
        piece.truncate(len);
        into.push(piece);
        let len = u64::try_from(len).unwrap();
        // Maps of volumes are longer than their files, and there is nothing beyond the end.
        if len < wanted || at + len == range.end {
            return;
        }
        at += len - overlap;
    }
}

/// Everything in a folder.
pub(crate) fn files(folder: &Path) -> Haystack {
    let mut found = Haystack::default();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.0.push(fs::read(path).unwrap());
        }
    }
    found
}
