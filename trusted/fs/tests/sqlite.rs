//! Write amplification: what SQLite's transactions cost on a volume, in blocks written and flushes.
//!
//! `sqlite/record.py` wrote down what SQLite asks of its file system while it changes a row of a database of 150 MiB,
//! 500 times, in each of its journal modes. Here that is done again on a volume above a store that counts. Checkpoints of
//! the volume count as well.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "tests"
)]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/results.rs"]
mod results;
mod support;

use std::{path::Path, sync::Arc};

use counting::CountingStore;
use support::{assert_clean, create};
use twine_fs::{Error, Options, Volume};

const BLOCK: usize = 4096;
const ROOT: u64 = Volume::ROOT;

/// What SQLite did; numbers are bytes. `sqlite/record.py` describes the encoding.
#[derive(Debug)]
enum Operation {
    Write { offset: u64, len: usize },
    Sync,
    Truncate { len: u64 },
    Delete,
    Create,
    TransactionEnds,
}

/// A recording: how long the database was, and what was done to which file.
struct Trace {
    database_len: u64,
    operations: Vec<(usize, Operation)>,
}

impl Trace {
    fn load(mode: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/sqlite")
            .join(format!("{mode}.trace"));
        let bytes = std::fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let database_len = number(&mut rest);
        let mut operations = Vec::new();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let operation = match byte & 15 {
                1 => Operation::Write {
                    offset: number(&mut rest),
                    len: number(&mut rest) as usize,
                },
                2 => Operation::Sync,
                3 => Operation::Truncate {
                    len: number(&mut rest),
                },
                4 => Operation::Delete,
                5 => Operation::Create,
                6 => Operation::TransactionEnds,
                other => panic!("{mode}: there is no operation {other}"),
            };
            operations.push((usize::from(byte >> 4), operation));
        }
        Self {
            database_len,
            operations,
        }
    }
}

fn number(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for place in 0.. {
        let (byte, after) = rest.split_first().unwrap();
        *rest = after;
        value |= u64::from(byte & 127) << (7 * place);
        if byte & 128 == 0 {
            break;
        }
    }
    value
}

const NAMES: [&[u8]; 3] = [b"db", b"db-journal", b"db-wal"];

/// Blocks written and flushes of one transaction, on average: by the volume, and as SQLite asked for them.
struct Cost {
    volume: [f64; 2],
    asked: [f64; 2],
}

fn replay(mode: &str) -> Cost {
    let trace = Trace::load(mode);
    let store = Arc::new(CountingStore::default());
    let mut volume = create(Arc::clone(&store), Options::default());
    let database = volume.create_file(ROOT, NAMES[0]).unwrap();
    let chunk = vec![0x5a; 256 * BLOCK];
    for offset in (0..trace.database_len).step_by(chunk.len()) {
        let len = chunk.len().min((trace.database_len - offset) as usize);
        volume.write(database, offset, &chunk[..len]).unwrap();
    }
    volume.sync().unwrap();
    // A write-ahead log is there before the recording begins.
    let open = |volume: &mut Volume, file: usize| match volume.lookup(ROOT, NAMES[file]) {
        Err(Error::NotFound) => volume.create_file(ROOT, NAMES[file]).unwrap(),
        found => found.unwrap(),
    };
    let before = store.counts();
    let (mut transactions, mut asked) = (0.0, [0.0; 2]);
    for (step, (file, operation)) in trace.operations.iter().enumerate() {
        match *operation {
            Operation::Write { offset, len } => {
                // Other contents each time, so that no write is for nothing.
                let data = vec![step as u8 | 1; len];
                let ino = open(&mut volume, *file);
                volume.write(ino, offset, &data).unwrap();
                asked[0] += len as f64 / BLOCK as f64;
            }
            Operation::Sync => {
                let ino = open(&mut volume, *file);
                volume.sync_file(ino).unwrap();
                asked[1] += 1.0;
            }
            Operation::Truncate { len } => {
                let ino = open(&mut volume, *file);
                volume.set_size(ino, len).unwrap();
            }
            Operation::Delete => volume.remove_file(ROOT, NAMES[*file]).unwrap(),
            Operation::Create => drop(open(&mut volume, *file)),
            Operation::TransactionEnds => transactions += 1.0,
        }
    }
    let after = store.counts();
    volume.sync().unwrap();
    assert_clean(&mut volume);
    Cost {
        volume: [
            (after.written - before.written) as f64 / transactions,
            (after.flushes - before.flushes) as f64 / transactions,
        ],
        asked: asked.map(|count| count / transactions),
    }
}

/// Most that a transaction may cost: blocks and flushes. The first three are what the design foresaw, with one flush in a
/// hundred transactions for checkpoints of the volume and of SQLite's log; the others have no model to be held to.
const LIMITS: [(&str, [f64; 2]); 5] = [
    ("delete", [12.7, 3.01]),
    ("wal", [6.5, 1.01]),
    ("memory", [5.0, 1.01]),
    ("truncate", [13.0, 4.01]),
    ("persist", [14.0, 4.01]),
];

#[test]
fn a_transaction_of_sqlite_costs_no_more_than_the_design_foresaw() {
    for (mode, [blocks_max, flushes_max]) in LIMITS {
        let cost = replay(mode);
        let ([blocks, flushes], [asked_blocks, asked_flushes]) = (cost.volume, cost.asked);
        println!(
            "fs/sqlite/{mode:<9} {blocks:6.2} blocks {flushes:6.3} flushes; asked for {asked_blocks:.2}, {asked_flushes:.3}"
        );
        let group = format!("fs/sqlite/{mode}");
        results::append(
            &group,
            "asked",
            &[("blocks", asked_blocks), ("flushes", asked_flushes)],
        );
        results::append(
            &group,
            "volume",
            &[("blocks", blocks), ("flushes", flushes)],
        );
        assert!(
            blocks <= blocks_max && flushes <= flushes_max,
            "{mode}: {blocks} blocks, {flushes} flushes"
        );
    }
}
