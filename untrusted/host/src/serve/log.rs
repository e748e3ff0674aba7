//! What an enclave says on its own behalf. Only debug launches say anything: usually why they are about to die.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::launch::outcome::printable;

/// The latest of an enclave's words, at most 16 KiB. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    /// Takes the words out; `None` if there are none.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        let text = std::mem::take(&mut *self.lock());
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub(super) fn add(&self, bytes: &[u8]) {
        let text = printable(&String::from_utf8_lossy(bytes));
        ::log::info!(target: "twine::enclave", "{}", text.trim_end());
        let mut words = self.lock();
        words.push_str(&text);
        let excess = words.len().saturating_sub(LOG_LEN_MAX);
        let cut = (excess..=words.len()).find(|at| words.is_char_boundary(*at));
        words.drain(..cut.unwrap_or_default());
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the operator what the enclave says of a guest's files. The guest does not learn of it.
pub(super) fn report(bytes: &[u8]) {
    ::log::error!("{}", printable(&String::from_utf8_lossy(bytes)));
}

/// Enough for a panic's message and place, too little to fill the host's memory.
const LOG_LEN_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_words_are_kept_whatever_was_said_before() {
        let log = Log::default();
        for _ in 0..3000 {
            log.add("ü and so on, ".as_bytes());
        }
        log.add(b"the end\xff\x1b");
        let words = log.take().unwrap();
        assert!(words.len() <= LOG_LEN_MAX);
        assert!(words.ends_with("the end\u{fffd}\u{fffd}"));
        assert_eq!(log.take(), None);
    }
}
