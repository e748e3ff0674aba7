//! Messages to people, on standard error: `twine: ` and the message, line by line as they happen.

use std::io::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};

/// Starts showing messages: errors and warnings always, the rest as `-v` and `-vv` ask for.
pub(crate) fn start(verbosity: u8) {
    static LOGGER: Logger = Logger;
    log::set_max_level(match verbosity {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Trace,
    });
    // Fails only if there is a logger already, and this is the only place that sets one.
    let _ = log::set_logger(&LOGGER);
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The compiler's own messages are of interest to nobody who runs programs.
        metadata.target().starts_with("twine")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // In one write, so that a guest's output cannot come between; nobody can be told if it fails.
            let line = format!("twine: {}\n", record.args());
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}
