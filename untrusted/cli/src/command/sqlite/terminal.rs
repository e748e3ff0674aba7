//! A terminal for a guest that asks line by line: it prints a prompt, and reads.
//!
//! ```text
//!   guest ── output ──► Screen ── whole lines ──────────────► terminal
//!                         └─ the unfinished line ─┐
//!   guest ◄─ a line ── Keyboard ◄── line editor ◄─┴─ its prompt
//! ```
//!
//! The guest asks for input exactly when it wants some, so what it has printed of a line by then is its prompt.
//!
//! Entered lines are remembered until the program ends and no longer: a history file would keep in plain text, on a disk
//! that is not trusted, what goes into an encrypted database.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};
use twine::launch::Launch;
use twine::{Input, Output};

/// Longest unfinished line that can still be a prompt, in bytes.
const PROMPT_LEN_MAX: usize = 256;

/// Gives the guest this process's terminal, with line editing.
pub(super) fn attach(launch: Launch<'_>) -> Result<Launch<'_>> {
    let unfinished = Unfinished::default();
    let keyboard = Keyboard {
        editor: Editor::with_history(Config::default(), MemHistory::new())?,
        unfinished: unfinished.clone(),
        line: io::Cursor::default(),
    };
    let screen = Screen {
        terminal: io::stdout(),
        unfinished,
    };
    Ok(launch
        .stdin(Input::Reader(Box::new(keyboard)))
        .stdout(Output::Writer(Box::new(screen))))
}

/// What the guest has printed of its last line.
#[derive(Clone, Default)]
struct Unfinished(Arc<Mutex<Vec<u8>>>);

impl Unfinished {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.lock());
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The guest's output: whole lines are shown, an unfinished one is kept for the keyboard.
struct Screen<T: Write> {
    terminal: T,
    unfinished: Unfinished,
}

impl<T: Write> Write for Screen<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut unfinished = self.unfinished.lock();
        unfinished.extend_from_slice(bytes);
        let whole = unfinished.iter().rposition(|&byte| byte == b'\n');
        let shown = match whole {
            _ if unfinished.len() > PROMPT_LEN_MAX => unfinished.len(),
            Some(position) => position + 1,
            None => 0,
        };
        let shown: Vec<u8> = unfinished.drain(..shown).collect();
        self.terminal.write_all(&shown)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.terminal.flush()
    }
}

impl<T: Write> Drop for Screen<T> {
    /// A guest may end in the middle of a line.
    fn drop(&mut self) {
        let rest = std::mem::take(&mut *self.unfinished.lock());
        // Nobody is left to tell if the terminal is gone.
        _ = self.terminal.write_all(&rest);
        _ = self.terminal.flush();
    }
}

/// The guest's input: lines from the line editor.
struct Keyboard {
    editor: Editor<(), MemHistory>,
    unfinished: Unfinished,
    line: io::Cursor<Vec<u8>>,
}

impl Keyboard {
    /// The next line, with its end; nothing at the end of the input.
    fn ask(&mut self) -> io::Result<String> {
        let prompt = self.unfinished.take();
        loop {
            match self.editor.readline(&prompt) {
                Ok(line) => {
                    // Only saves typing: a line that cannot be remembered is no failure.
                    _ = self.editor.add_history_entry(&line);
                    return Ok(line + "\n");
                }
                // Ctrl-C gives the line up and asks again; Ctrl-D ends the input.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(String::new()),
                Err(ReadlineError::Io(error)) => return Err(error),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

impl Read for Keyboard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.line.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        self.line = io::Cursor::new(self.ask()?.into_bytes());
        self.line.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_shown_and_the_prompt_is_kept() {
        let unfinished = Unfinished::default();
        let mut screen = Screen {
            terminal: Vec::new(),
            unfinished: unfinished.clone(),
        };
        screen.write_all(b"one\ntwo\nsql").unwrap();
        screen.write_all(b"ite> ").unwrap();
        assert_eq!(screen.terminal, b"one\ntwo\n");
        assert_eq!(unfinished.take(), "sqlite> ");
    }

    #[test]
    fn a_long_line_is_no_prompt() {
        let unfinished = Unfinished::default();
        let mut screen = Screen {
            terminal: Vec::new(),
            unfinished: unfinished.clone(),
        };
        let long = vec![b'x'; PROMPT_LEN_MAX + 1];
        screen.write_all(&long).unwrap();
        assert_eq!(screen.terminal, long);
        assert_eq!(unfinished.take(), "");
    }
}
