//! A host that changes the volume under SQLite: queries are answered rightly or fail, never wrongly.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use twine::{Input, Outcome};
use twine_guests::sqlite::Program;
use twine_tests::run::{Ran, text};

use super::shell::Volume;

/// Large enough that the cache does not hold it, so that queries read the volume.
const FILL: &str = "
CREATE TABLE t(n INTEGER PRIMARY KEY, filler BLOB, tag TEXT);
INSERT INTO t WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i, zeroblob(1000), 'row ' || i FROM n;
CREATE INDEX by_tag ON t(tag);
";

/// Reads every page, and says something about every row.
const QUERY: &str =
    "SELECT count(*), sum(n), sum(length(filler)), sum(length(tag)), count(DISTINCT tag) FROM t;\n";

const ANSWER: &str = "3000|4501500|3000000|22893|3000\n";

/// Length of what an attack changes: a block of the volume.
const BLOCK_LEN: usize = 4096;

#[test]
fn flipped_bits_between_opens_are_an_error_or_unnoticed() {
    let volume = Volume::new();
    volume.query(FILL);
    assert_eq!(volume.query(QUERY), ANSWER);
    let honest = fs::read(volume.file()).unwrap();
    let mut noticed = 0;
    for index in 0..24 {
        let mut spoilt = honest.clone();
        let at = spread(index, spoilt.len());
        spoilt[at] ^= 1 << (index % 8);
        fs::write(volume.file(), &spoilt).unwrap();
        noticed += usize::from(right_or_refused(&volume.sql(QUERY)));
        fs::write(volume.file(), &honest).unwrap();
    }
    assert!(noticed > 0, "no flipped bit was met");
    assert_eq!(volume.query(QUERY), ANSWER);
}

#[test]
fn older_and_exchanged_blocks_between_opens_are_an_error_or_unnoticed() {
    let volume = Volume::new();
    volume.query(FILL);
    let before = fs::read(volume.file()).unwrap();
    volume.query("UPDATE t SET tag = 'new ' || n, filler = zeroblob(1001);");
    let after = fs::read(volume.file()).unwrap();
    let answers = [ANSWER.to_owned(), ANSWER.replace("3000000", "3003000")];
    assert_eq!(volume.query(QUERY), answers[1]);
    let mut noticed = 0;
    for index in 0..16 {
        let mut spoilt = after.clone();
        let block = spread(index, spoilt.len()) / BLOCK_LEN * BLOCK_LEN;
        let other = spread(index + 100, spoilt.len().min(before.len())) / BLOCK_LEN * BLOCK_LEN;
        match index % 3 {
            // One older block; everything from here on older; two blocks exchanged.
            0 => {
                spoilt[other..other + BLOCK_LEN].copy_from_slice(&before[other..other + BLOCK_LEN])
            }
            1 => spoilt[other..before.len().min(after.len())]
                .copy_from_slice(&before[other..before.len().min(after.len())]),
            _ => {
                let moved = after[other..other + BLOCK_LEN].to_vec();
                spoilt.copy_within(block..block + BLOCK_LEN, other);
                spoilt[block..block + BLOCK_LEN].copy_from_slice(&moved);
            }
        }
        fs::write(volume.file(), &spoilt).unwrap();
        let ran = volume.sql(QUERY);
        // A whole older state may be mounted (nothing outside remembers the newer one); a mixture never.
        if answers.contains(&text(&ran.output)) && ran.errors.is_empty() {
            continue;
        }
        assert_refused(&ran);
        noticed += 1;
    }
    assert!(noticed > 0, "no exchanged block was met");
}

/// Gives SQL line by line; before the second line, the host does what it wants.
struct Attack {
    lines: Vec<String>,
    attack: Option<Box<dyn FnOnce() + Send>>,
}

impl Read for Attack {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.lines.is_empty() {
            return Ok(0);
        }
        if self.lines.len() == 1
            && let Some(attack) = self.attack.take()
        {
            attack();
        }
        let line = self.lines.remove(0);
        buffer[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

/// Opens the database, lets the host act, and asks.
fn attacked(volume: &Volume, attack: impl FnOnce(&Path) + Send + 'static) -> Ran {
    let file: PathBuf = volume.file();
    let input = Attack {
        lines: vec![
            "SELECT count(*) FROM t WHERE n < 10;\n".into(),
            QUERY.into(),
        ],
        attack: Some(Box::new(move || attack(&file))),
    };
    let arguments = ["-batch", "-vfs", "volume", "main.db"];
    volume.run(Program::Shell, &arguments, Input::Reader(Box::new(input)))
}

#[test]
fn changes_under_an_open_database_are_an_error_or_unnoticed() {
    let volume = Volume::new();
    volume.query(FILL);
    let before = fs::read(volume.file()).unwrap();
    volume.query("UPDATE t SET tag = 'new ' || n, filler = zeroblob(1001);");
    let after = fs::read(volume.file()).unwrap();
    let newest = format!("9\n{}", ANSWER.replace("3000000", "3003000"));

    let flipped = attacked(&volume, |file| {
        let mut bytes = fs::read(file).unwrap();
        bytes
            .iter_mut()
            .skip(64 * 1024)
            .step_by(512)
            .for_each(|byte| *byte ^= 4);
        overwrite(file, &bytes);
    });
    assert_refused(&flipped);
    overwrite(&volume.file(), &after);

    let rolled_back = {
        let mut older = after.clone();
        let len = before.len().min(after.len());
        older[..len].copy_from_slice(&before[..len]);
        attacked(&volume, move |file| overwrite(file, &older))
    };
    if text(&rolled_back.output) != newest {
        assert_refused(&rolled_back);
    }
    overwrite(&volume.file(), &after);

    let cut = attacked(&volume, |file| {
        fs::OpenOptions::new()
            .write(true)
            .open(file)
            .unwrap()
            .set_len(128 * 1024)
            .unwrap();
    });
    assert!(
        !text(&cut.output).contains('|') && !matches!(cut.outcome, Ok(Outcome::Exited { code: 0 })),
        "{cut:?}"
    );
    fs::write(volume.file(), &after).unwrap();
    assert_eq!(volume.query(QUERY), newest[2..]);
}

/// Writes into the same file: a mapping of it sees the change.
fn overwrite(file: &Path, bytes: &[u8]) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

/// Asserts that the answer is right or refused, and says whether it was refused.
fn right_or_refused(ran: &Ran) -> bool {
    if text(&ran.output) == ANSWER && ran.errors.is_empty() {
        return false;
    }
    assert_refused(ran);
    true
}

/// Asserts that a query failed for the reason that the volume was not what it should be, and gave no row.
fn assert_refused(ran: &Ran) {
    let answered = text(&ran.output).contains('|');
    let (errors, outcome) = (text(&ran.errors), &ran.outcome);
    let by_sqlite = errors.contains("disk I/O error (10)")
        && matches!(outcome, Ok(Outcome::Exited { code: 1 }));
    let by_the_enclave = matches!(outcome, Err(twine::Error::Refused { .. }));
    assert!(!answered && (by_sqlite || by_the_enclave), "{ran:?}");
}

/// Places that differ and cover a range, the same in every run.
fn spread(index: usize, len: usize) -> usize {
    let fraction = (index * 0x9E37_79B1) & 0xFFFF_FFFF;
    (fraction * len) >> 32
}
