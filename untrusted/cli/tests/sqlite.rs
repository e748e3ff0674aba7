//! `twine sqlite` as its users see it, and what is left when the process is killed in the middle of transactions.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use twine_guests::sqlite::Program;

/// A user's home, and what lies in it.
struct User(TempDir);

impl User {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn volume(&self) -> PathBuf {
        self.0.path().join("my.tv")
    }

    /// A command line of `twine sqlite`, in the user's home.
    fn sqlite(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twine"));
        command
            .env("TWINE_HOME", self.0.path())
            .env("TWINE_SQLITE", Program::Shell.module().unwrap())
            .current_dir(self.0.path())
            .arg("sqlite")
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    fn ends(&self, arguments: &[&str]) -> Output {
        self.sqlite(arguments).output().unwrap()
    }

    /// What SQL prints that succeeds.
    #[track_caller]
    fn query(&self, sql: &str) -> String {
        let output = self.ends(&["my.tv", sql]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output.stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_database_is_made_and_found_again_and_the_host_sees_none_of_it() {
    let user = User::new();
    let made = user.query(
        "CREATE TABLE notes(body); INSERT INTO notes VALUES ('the gold is under the old oak')",
    );
    assert_eq!(made, "");
    assert_eq!(
        user.query("SELECT body, length(body) FROM notes"),
        "the gold is under the old oak|29\n"
    );
    let volume = fs::read(user.volume()).unwrap();
    for plain in ["the gold", "old oak", "notes", "main.db", "SQLite format"] {
        let found = volume
            .windows(plain.len())
            .any(|window| window == plain.as_bytes());
        assert!(!found, "the volume holds {plain:?} in plain text");
    }
}

#[test]
fn the_exit_code_and_the_messages_are_the_shells() {
    let user = User::new();
    let output = user.ends(&["my.tv", "SELECT * FROM missing"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("no such table: missing"),
        "{output:?}"
    );
    assert_eq!(user.ends(&["my.tv", ".exit 7"]).status.code(), Some(7));
    let json = user.ends(&["my.tv", "-json", "SELECT 1 AS one"]);
    assert_eq!(text(&json.stdout), "[{\"one\":1}]\n");
}

#[test]
fn a_script_comes_through_a_pipe() {
    let user = User::new();
    let mut child = user
        .sqlite(&["my.tv", "--database", "other.db"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let script =
        "CREATE TABLE t(a);\nINSERT INTO t VALUES (1),\n(2);\nSELECT sum(a)\nFROM t;\n.tables\n";
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "3\nt\n");
    assert_eq!(user.query("SELECT count(*) FROM sqlite_schema"), "0\n");
}

#[test]
fn without_a_volume_the_database_ends_with_the_enclave() {
    let user = User::new();
    let output = user.ends(&["--", "", "SELECT 1"]);
    assert_ne!(
        output.status.code(),
        Some(0),
        "an empty name is no volume: {output:?}"
    );
    let mut child = user
        .sqlite(&[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"CREATE TABLE t(a); INSERT INTO t VALUES (5); SELECT a FROM t;\n")
        .unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout), "5\n");
    assert_eq!(
        fs::read_dir(user.0.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some())
            .count(),
        0
    );
}

#[test]
fn what_is_opened_read_only_is_not_changed() {
    let user = User::new();
    let absent = user.ends(&["my.tv", "--read-only", "SELECT 1"]);
    assert!(!absent.status.success(), "{absent:?}");
    assert!(!user.volume().exists());
    user.query("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    let before = fs::read(user.volume()).unwrap();
    let read = user.ends(&["my.tv", "--read-only", "SELECT a FROM t"]);
    assert_eq!(text(&read.stdout), "1\n", "{read:?}");
    let written = user.ends(&["my.tv", "--read-only", "INSERT INTO t VALUES (2)"]);
    assert_eq!(written.status.code(), Some(8), "{written:?}");
    assert!(text(&written.stderr).contains("readonly"), "{written:?}");
    assert_eq!(fs::read(user.volume()).unwrap(), before);
}

#[test]
fn tampering_has_an_exit_code_and_an_explanation_of_its_own() {
    let user = User::new();
    user.query("CREATE TABLE t(a); INSERT INTO t WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT hex(randomblob(50)) FROM n");
    let honest = fs::read(user.volume()).unwrap();
    let mut spoilt = honest.clone();
    // Behind superblocks and key slots, a bit in every block.
    spoilt
        .iter_mut()
        .skip(64 * 1024)
        .step_by(2048)
        .for_each(|byte| *byte ^= 1);
    fs::write(user.volume(), &spoilt).unwrap();
    let output = user.ends(&["my.tv", "SELECT count(a) FROM t"]);
    assert_eq!(output.status.code(), Some(116), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    fs::write(user.volume(), &honest).unwrap();
    assert_eq!(user.query("SELECT count(a) FROM t"), "5000\n");
}

#[test]
fn a_missing_module_is_told_with_its_remedy() {
    let user = User::new();
    let output = user
        .sqlite(&["my.tv", "SELECT 1"])
        .env("TWINE_SQLITE", "nowhere.wasm")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    assert!(text(&output.stderr).contains("nowhere.wasm"), "{output:?}");
}

/// A journal mode that promises durability, and the file system layer that it runs on.
const DURABLE: [(&str, &str); 5] = [
    ("volume", "PRAGMA journal_mode = DELETE;"),
    ("volume", "PRAGMA journal_mode = WAL;"),
    ("unix", "PRAGMA journal_mode = DELETE;"),
    ("unix", "PRAGMA journal_mode = TRUNCATE;"),
    ("unix", "PRAGMA journal_mode = PERSIST;"),
];

/// Killed in the middle of transactions, again and again: the database checks, every commit that was acknowledged is
/// there, and none is there by half. `TWINE_KILLS` says how often in all (the default: 20).
#[test]
fn no_acknowledged_commit_is_lost_when_the_process_is_killed() {
    let kills = env::var("TWINE_KILLS").map_or(20, |kills| kills.parse().unwrap());
    for (vfs, mode) in DURABLE {
        let user = User::new();
        user.query(
            "CREATE TABLE log(n INTEGER PRIMARY KEY, filler);
             CREATE TABLE total(n INTEGER, bytes INTEGER);
             INSERT INTO total VALUES (0, 0);",
        );
        let mut acknowledged = 0;
        for kill in 0..kills / DURABLE.len() {
            acknowledged = killed(&user, (vfs, mode), acknowledged, kill);
            let found = user.query(
                "PRAGMA integrity_check;
                 SELECT count(*) = max(n) AND count(*) = (SELECT n FROM total)
                    AND sum(length(filler)) = (SELECT bytes FROM total) FROM log;
                 SELECT count(*) FROM log;",
            );
            let lines: Vec<&str> = found.lines().collect();
            assert_eq!(lines[..2], ["ok", "1"], "{vfs} {mode} {kill}");
            let committed: u64 = lines[2].parse().unwrap();
            assert!(
                committed >= acknowledged,
                "{vfs} {mode}: {committed} of {acknowledged}"
            );
            acknowledged = committed;
        }
        assert!(acknowledged > 0, "{vfs} {mode}: nothing was ever committed");
    }
}

/// Runs transactions from number `from + 1` on, kills the process at some moment, and returns the last that it
/// acknowledged.
fn killed(user: &User, (vfs, mode): (&str, &str), from: u64, kill: usize) -> u64 {
    let mut child = user
        .sqlite(&["my.tv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let opening = format!(".open file:/main.db?vfs={vfs}\n{mode}\nPRAGMA cache_size = 8;\n");
    let writer = thread::spawn(move || {
        // Ends with an error when the reader is killed.
        _ = input.write_all(opening.as_bytes());
        for n in from + 1.. {
            let len = n * 7919 % 9000;
            let transaction = format!(
                "BEGIN; INSERT INTO log VALUES ({n}, randomblob({len})); UPDATE total SET n = n + 1, bytes = bytes + {len};
                 UPDATE log SET filler = randomblob(length(filler)) WHERE n % 5 = {}; COMMIT; SELECT 'committed', {n};\n",
                n % 5
            );
            if input.write_all(transaction.as_bytes()).is_err() {
                break;
            }
        }
    });
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = from;
    // At least one more transaction, then some, and then a moment within one.
    let more = 1 + kill as u64 * 5 % 13;
    let mut lines = output.lines();
    while acknowledged < from + more {
        let line = lines.next().unwrap().unwrap();
        if let Some(n) = line.strip_prefix("committed|") {
            acknowledged = n.parse().unwrap();
        }
    }
    thread::sleep(Duration::from_micros(kill as u64 * 700 % 5000));
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before it died counts.
    for line in lines.map_while(Result::ok) {
        if let Some(n) = line.strip_prefix("committed|") {
            acknowledged = n.parse().unwrap();
        }
    }
    writer.join().unwrap();
    acknowledged
}
