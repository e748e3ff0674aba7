//! `twine sqlite` at a terminal: what a person types there, keys for editing included, and what the screen shows.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;
use twine_guests::sqlite::Program;

/// Longer than a start takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A person at a terminal, with the shell running.
struct Person {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    shell: Child,
    home: TempDir,
}

impl Person {
    fn sits_down(home: TempDir) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let path = std::ffi::OsStr::from_bytes(name.as_bytes());
        let end = || OwnedFd::from(File::options().read(true).write(true).open(path).unwrap());
        let shell = Command::new(env!("CARGO_BIN_EXE_twine"))
            .env("TWINE_HOME", home.path())
            .env("TWINE_SQLITE", Program::Shell.module().unwrap())
            .env("TERM", "xterm")
            .current_dir(home.path())
            .args(["sqlite", "my.tv"])
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keyboard = File::from(terminal);
        let mut master = keyboard.try_clone().unwrap();
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match master.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) if sender.send(buffer[..count].to_vec()).is_err() => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // The last of the shell's ends is closed.
                    Err(_) => break,
                }
            }
        });
        Self {
            keyboard,
            screen,
            seen: Vec::new(),
            shell,
            home,
        }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen has shown `text`, and forgets all up to there.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        loop {
            let found = self
                .seen
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            if let Some(at) = found {
                self.seen.drain(..at + text.len());
                return;
            }
            let Ok(more) = self.screen.recv_timeout(PATIENCE) else {
                let seen = String::from_utf8_lossy(&self.seen);
                panic!("{text:?} does not appear; what does is {seen:?}");
            };
            self.seen.extend(more);
        }
    }

    /// Waits for the shell's end.
    fn leaves(mut self) -> (i32, TempDir) {
        let status = self.shell.wait().unwrap();
        (status.code().unwrap(), self.home)
    }
}

const BACKSPACE: &str = "\u{7f}";
const UP: &str = "\u{1b}[A";
const CONTROL_A: &str = "\u{1}";
const CONTROL_C: &str = "\u{3}";
const CONTROL_D: &str = "\u{4}";

#[test]
fn lines_can_be_edited_repeated_and_given_up() {
    let mut person = Person::sits_down(tempfile::tempdir().unwrap());
    person.sees("sqlite> ");
    person.types("create table t(a);\r");
    person.sees("sqlite> ");
    person.types("insert into t values(41);\r");
    person.sees("sqlite> ");
    // A slip of the finger, and a word that was forgotten at the beginning.
    person.types(&format!(
        "a+1 as sux{BACKSPACE}m from t;{CONTROL_A}select \r"
    ));
    person.sees("\n42\r\n");
    person.sees("sqlite> ");
    person.types(&format!("{UP}\r"));
    person.sees("\n42\r\n");
    person.sees("sqlite> ");
    // A statement over two lines has another prompt.
    person.types("select 6 *\r");
    person.sees("...> ");
    person.types("7 as product;\r");
    person.sees("\n42\r\n");
    person.sees("sqlite> ");
    person.types(CONTROL_D);
    let (code, home) = person.leaves();
    assert_eq!(code, 0);

    let mut person = Person::sits_down(home);
    person.sees("sqlite> ");
    person.types("select 'it says ' || a from t;\r");
    person.sees("\nit says 41\r\n");
    person.sees("sqlite> ");
    person.types(&format!("delete from t;{CONTROL_C}"));
    person.sees("sqlite> ");
    person.types("select count(*) || ' left' from t;\r");
    person.sees("\n1 left\r\n");
    person.types(".quit\r");
    assert_eq!(person.leaves().0, 0);
}
