//! `demo`: from a fresh machine to a query that SQLite answers inside the enclave, from an encrypted volume.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::command;
use crate::project::{Project, Workspace};
use crate::setup;

/// What goes into the database, and must not be found in the volume.
const SECRET: &str = "the treasure is under the old oak";

/// Length of the volume's blocks.
const BLOCK_LEN: usize = 4096;

/// Lines of the volume that are shown.
const LINES: usize = 4;

/// Bytes a line.
const LINE_LEN: usize = 16;

/// Tells what it does, in one line each, and does it.
pub(crate) fn run(project: &Project) -> Result<()> {
    println!("demo: looking for what this machine lacks; compiling SQLite to WebAssembly");
    setup::run(project)?;

    println!("demo: building the program `twine` and the enclave image in it");
    command::run(project.cargo(Workspace::Main).args([
        "build",
        "--release",
        "--locked",
        "--package",
        "twine-cli",
    ]))?;

    let volume = project.target("demo.tv");
    // From an earlier demonstration; its absence is what is wanted.
    _ = fs::remove_file(&volume);
    let insert = format!("CREATE TABLE secrets(body); INSERT INTO secrets VALUES ('{SECRET}')");
    sqlite(project, &volume, &insert)?;
    sqlite(project, &volume, "SELECT body, length(body) FROM secrets")?;
    prove(project, &volume)
}

/// Runs SQL on the volume, and shows the command.
fn sqlite(project: &Project, volume: &Path, sql: &str) -> Result<()> {
    let twine = project.target("release/twine");
    let shown = |path| project.relative(path).display();
    println!("demo: {} sqlite {} \"{sql}\"", shown(&twine), shown(volume));
    let mut command = Command::new(&twine);
    command::run(command.arg("sqlite").arg(volume).arg(sql))
}

/// Searches the volume for what was put in, and shows some of what is there instead.
fn prove(project: &Project, volume: &Path) -> Result<()> {
    let bytes = fs::read(volume).with_context(|| volume.display().to_string())?;
    for plain in [SECRET, "treasure", "secrets", "SQLite format 3", "main.db"] {
        let found = bytes
            .windows(plain.len())
            .any(|window| window == plain.as_bytes());
        ensure!(!found, "the volume holds {plain:?} in plain text");
    }
    println!(
        "demo: none of it can be read in {} ({} bytes); its last block in use begins",
        project.relative(volume).display(),
        bytes.len()
    );
    print!("{}", hexdump(&bytes));
    Ok(())
}

/// The first lines of the last block that is not empty.
fn hexdump(bytes: &[u8]) -> String {
    let mut blocks = bytes.chunks(BLOCK_LEN).enumerate();
    let last = blocks.rfind(|(_, block)| block.iter().any(|&byte| byte != 0));
    let (index, block) = last.unwrap_or_default();
    let start = index * BLOCK_LEN;
    let mut text = String::new();
    for (index, line) in block.chunks(LINE_LEN).take(LINES).enumerate() {
        _ = write!(text, "{:08x} ", start + index * LINE_LEN);
        for byte in line {
            _ = write!(text, " {byte:02x}");
        }
        let printable = |&byte: &u8| {
            if byte.is_ascii_graphic() {
                byte.into()
            } else {
                '.'
            }
        };
        _ = writeln!(
            text,
            "  |{}|",
            line.iter().map(printable).collect::<String>()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_with_contents_is_shown() {
        let mut bytes = vec![0; 3 * BLOCK_LEN];
        bytes[BLOCK_LEN..BLOCK_LEN + 3].copy_from_slice(b"A\x01z");
        let text = hexdump(&bytes);
        assert!(text.starts_with("00001000  41 01 7a 00"), "{text}");
        assert!(
            text.lines()
                .next()
                .is_some_and(|line| line.ends_with("|A.z.............|")),
            "{text}"
        );
        assert_eq!(text.lines().count(), LINES);
    }
}
