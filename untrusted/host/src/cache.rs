//! The cache of compiled modules: one file for each, named by everything that its contents depend on.
//!
//! An entry is found only under the hash of the Wasm, the compiler's exact version and the engine profile, so it never
//! has to be invalidated. A damaged entry is as good as none. Writing is atomic (a temporary file, then a rename), so
//! processes share the directory without locks. When the directory outgrows its limit, the entries unused for longest
//! go.
//!
//! Entries are trusted like the user's own files: whoever can write them can choose what a *generated* launch document
//! names. A launch document from a file names its code by hash, whatever lies here.

use std::fs::{self, DirBuilder, DirEntry, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use twine_launch::Digest;

use crate::module::Module;
use crate::state::Directories;

/// A directory of compiled modules, or none.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: Option<PathBuf>,
    limit_bytes: u64,
}

impl Cache {
    /// The cache in the user's directories.
    #[must_use]
    pub fn of(directories: &Directories) -> Self {
        Self::at(directories.cache().join("modules"))
    }

    /// A cache in this directory, which is created when it is first written to.
    #[must_use]
    pub const fn at(directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
            limit_bytes: LIMIT_BYTES_DEFAULT,
        }
    }

    /// A cache that keeps nothing.
    #[must_use]
    pub const fn disabled() -> Self {
        Self {
            directory: None,
            limit_bytes: 0,
        }
    }

    /// The same with another limit on the sum of its files' lengths. The latest entry always stays.
    #[must_use]
    pub fn with_limit(self, limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            ..self
        }
    }

    /// Returns the module kept under `key`, if there is one and it is undamaged.
    pub(crate) fn read(&self, key: Digest, name: &str) -> Option<Module> {
        let path = self.directory.as_ref()?.join(file_name(key));
        let file = File::open(&path).ok()?;
        let modified = file.metadata().and_then(|data| data.modified()).ok();
        match Module::parse(name.to_owned(), &file) {
            Ok(module) => {
                if age(modified) > TOUCH_AFTER {
                    // Only the order of eviction depends on it.
                    let _ = File::set_modified(&file, SystemTime::now());
                }
                Some(module)
            }
            Err(flaw) => {
                log::warn!("ignoring the cache entry {}: {flaw:?}", path.display());
                None
            }
        }
    }

    /// Keeps `module` under `key`. A cache that cannot be written to is no reason not to run.
    pub(crate) fn write(&self, key: Digest, module: &Module) {
        let Some(directory) = &self.directory else {
            return;
        };
        let written = write_entry(directory, &file_name(key), module)
            .and_then(|()| evict(directory, self.limit_bytes));
        if let Err(error) = written {
            log::warn!("cannot write the cache {}: {error}", directory.display());
        }
    }
}

fn file_name(key: Digest) -> String {
    format!("{key}.{ENTRY_EXTENSION}")
}

fn write_entry(directory: &Path, name: &str, module: &Module) -> io::Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let temporary = directory.join(format!("{name}.{process}.{unique}.{TEMPORARY_EXTENSION}"));
    let result = File::create_new(&temporary)
        .and_then(|file| {
            let mut writer = BufWriter::new(file);
            module.write(&mut writer)?;
            writer.flush()
        })
        .and_then(|()| fs::rename(&temporary, directory.join(name)));
    if result.is_err() {
        // The error that matters is the one being returned.
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Removes the entries unused for longest until the rest fits, and what interrupted processes left behind.
fn evict(directory: &Path, limit_bytes: u64) -> io::Result<()> {
    let mut entries: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(directory)?
        .flatten()
        .filter_map(|entry| describe(&entry))
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.0));
    let mut total = 0_u64;
    for (index, (modified, len, path)) in entries.iter().enumerate() {
        let is_entry = path.extension().is_some_and(|e| e == ENTRY_EXTENSION);
        let keep = if is_entry {
            total = total.saturating_add(*len);
            total <= limit_bytes || index == 0
        } else {
            age(Some(*modified)) < ABANDONED_AFTER
        };
        if !keep {
            // Another process may have removed it first.
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// Age, length and path of a file of ours; `None` for foreign ones, which stay.
fn describe(entry: &DirEntry) -> Option<(SystemTime, u64, PathBuf)> {
    let path = entry.path();
    let ours = path
        .extension()
        .is_some_and(|e| e == ENTRY_EXTENSION || e == TEMPORARY_EXTENSION);
    let metadata = entry
        .metadata()
        .ok()
        .filter(|data| ours && data.is_file())?;
    Some((metadata.modified().ok()?, metadata.len(), path))
}

fn age(modified: Option<SystemTime>) -> Duration {
    let elapsed = modified.and_then(|modified| modified.elapsed().ok());
    elapsed.unwrap_or_default()
}

const ENTRY_EXTENSION: &str = "twasm";
const TEMPORARY_EXTENSION: &str = "tmp";

/// Room for a hundred large language runtimes' modules or thousands of ordinary ones.
const LIMIT_BYTES_DEFAULT: u64 = 2 << 30;

/// How stale an entry's time of use may be: a run should not write to the disk every time.
const TOUCH_AFTER: Duration = Duration::from_hours(24);

/// A temporary file so old belongs to a process that was killed.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests;
