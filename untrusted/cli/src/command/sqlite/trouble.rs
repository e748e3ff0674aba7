//! Whether the enclave had to report trouble with the volume: SQLite only sees an I/O error, whatever the reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use twine::abi::exchange::{Header, HostCall};
use twine::launch::Launch;
use twine::serve::Services;

/// Learns of reports while they pass. Clones share what they learn.
#[derive(Clone, Default)]
pub(super) struct Trouble(Arc<AtomicBool>);

impl Trouble {
    /// Watches the calls of a launch; they are answered as ever.
    pub(super) fn watch<'a>(&self, launch: Launch<'a>) -> Launch<'a> {
        let reported = self.clone();
        launch.services(|honest| Box::new(Watched { honest, reported }))
    }

    /// Whether there was a report.
    pub(super) fn is_reported(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Calls that are looked at and passed on.
struct Watched {
    honest: Box<dyn Services>,
    reported: Trouble,
}

impl Services for Watched {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        if header.op == HostCall::Report as u32 {
            self.reported.0.store(true, Ordering::Relaxed);
        }
        self.honest.serve(header, payload)
    }
}
