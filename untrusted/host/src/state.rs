//! The user's own directories: what is kept between runs, and what may be lost.
//!
//! | | holds | place | in `TWINE_HOME` |
//! |---|---|---|---|
//! | state | the development key, its certificates, the emulator's secret | `XDG_STATE_HOME/twine`, else `~/.local/state/twine` | `state` |
//! | cache | compiled modules | `XDG_CACHE_HOME/twine`, else `~/.cache/twine` | `cache` |
//!
//! Directories are made when first needed, with mode 0700, and secrets in them with mode 0600. A state directory that
//! others could write to is refused: they could have put their own key there. Files appear whole or not at all, and of
//! two processes that make the same secret at the same time both end up with the one that was first.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

/// Why something cannot be kept or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Nothing says where the user's files belong.
    #[error("no place for the user's files: set TWINE_HOME or HOME to an absolute path")]
    NoHome,
    /// The directory is not the user's alone.
    #[error("{}: others may write to it, or it is not yours; make it yours alone (chmod 700)", .0.display())]
    NotPrivate(PathBuf),
    /// Others may read a secret.
    #[error("{}: others may read this secret; remove it, or make it yours alone (chmod 600)", .0.display())]
    Exposed(PathBuf),
    /// The operating system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Where one user's files are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Directories {
    state: PathBuf,
    cache: PathBuf,
}

impl Directories {
    /// The places that the environment names.
    ///
    /// # Errors
    /// [`StateError::NoHome`] if it names none.
    pub fn of_user() -> Result<Self, StateError> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        Self::from_variables(variable).ok_or(StateError::NoHome)
    }

    /// Both below `home`: what `TWINE_HOME` means.
    #[must_use]
    pub fn below(home: &Path) -> Self {
        Self {
            state: home.join("state"),
            cache: home.join("cache"),
        }
    }

    /// As the XDG base directory specification (version 0.8) says; relative paths are ignored.
    fn from_variables(variable: impl Fn(&'static str) -> Option<PathBuf>) -> Option<Self> {
        let absolute = |name| variable(name).filter(|path| path.is_absolute());
        if let Some(home) = absolute("TWINE_HOME") {
            return Some(Self::below(&home));
        }
        let of_kind = |name, default| {
            let parent = absolute(name).or_else(|| Some(absolute("HOME")?.join(default)))?;
            Some(parent.join("twine"))
        };
        Some(Self {
            state: of_kind("XDG_STATE_HOME", ".local/state")?,
            cache: of_kind("XDG_CACHE_HOME", ".cache")?,
        })
    }

    /// The cache directory. It may not exist.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The state directory, which exists when this returns.
    ///
    /// # Errors
    /// [`StateError::NotPrivate`] or [`StateError::Io`].
    pub fn state(&self) -> Result<PathBuf, StateError> {
        private_directory(&self.state)
    }

    /// The file with the emulated processor's secret. It may not exist; its directory does.
    ///
    /// # Errors
    /// As [`Directories::state`].
    pub fn emulator_secret(&self) -> Result<PathBuf, StateError> {
        Ok(self.state()?.join("emulator"))
    }

    /// A directory in the state directory, which exists when this returns.
    ///
    /// # Errors
    /// As [`Directories::state`].
    pub fn state_in(&self, name: &str) -> Result<PathBuf, StateError> {
        private_directory(&self.state()?.join(name))
    }
}

/// Reads a secret, or returns `None` if there is none.
///
/// # Errors
/// [`StateError::Exposed`] if others may read it; [`StateError::Io`] if the user may not.
pub fn read_secret(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(at(path)(source)),
    };
    let mode = file.metadata().map_err(at(path))?.mode();
    if mode & OTHERS != 0 {
        return Err(StateError::Exposed(path.to_owned()));
    }
    let mut secret = Zeroizing::new(Vec::new());
    file.read_to_end(&mut secret).map_err(at(path))?;
    Ok(Some(secret))
}

/// Keeps a secret that is not there yet, and returns the one that is there afterwards: that of another process, if it
/// was faster.
///
/// # Errors
/// [`StateError::Io`] if the file cannot be written; [`StateError::Exposed`] as [`read_secret`].
pub fn create_secret(path: &Path, secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, StateError> {
    let temporary = write_temporary(path, secret)?;
    // Unlike a rename, a link does not replace what is there.
    let linked = fs::hard_link(&temporary, path);
    // A name that stays is only untidy.
    let _ = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(at(path)(error)),
        _ => read_secret(path)?.ok_or_else(|| at(path)(io::ErrorKind::NotFound.into())),
    }
}

/// Writes a file at once, in place of what may be there.
///
/// # Errors
/// [`StateError::Io`].
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let temporary = write_temporary(path, bytes)?;
    fs::rename(&temporary, path).map_err(|error| {
        // The error that matters is the one being returned.
        let _ = fs::remove_file(&temporary);
        at(path)(error)
    })
}

/// Writes `bytes` to a new file beside `path`, for the user's eyes only.
fn write_temporary(path: &Path, bytes: &[u8]) -> Result<PathBuf, StateError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}.{unique}.tmp", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
    written.map(|()| temporary.clone()).map_err(at(&temporary))
}

/// Makes a directory for the user alone, or checks that it is.
fn private_directory(path: &Path) -> Result<PathBuf, StateError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(at(path))?;
    let metadata = fs::metadata(path).map_err(at(path))?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if is_ours && metadata.mode() & OTHERS_WRITE == 0 {
        Ok(path.to_owned())
    } else {
        Err(StateError::NotPrivate(path.to_owned()))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    |source| StateError::Io { path, source }
}

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Permission bits that let others write.
const OTHERS_WRITE: u32 = 0o022;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn places(variables: &'static [(&str, &str)]) -> Option<Directories> {
        Directories::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| PathBuf::from(value))
        })
    }

    #[test]
    fn the_environment_names_the_places_and_relative_paths_do_not_count() {
        let home = places(&[("HOME", "/h"), ("XDG_STATE_HOME", "relative")]).unwrap();
        assert_eq!(home.state, Path::new("/h/.local/state/twine"));
        assert_eq!(home.cache(), Path::new("/h/.cache/twine"));
        let xdg = places(&[("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "/s")]).unwrap();
        assert_eq!(xdg.state, Path::new("/s/twine"));
        assert_eq!(xdg.cache(), Path::new("/c/twine"));
        let own = places(&[("TWINE_HOME", "/t"), ("HOME", "/h")]).unwrap();
        assert_eq!(own, Directories::below(Path::new("/t")));
        assert_eq!(places(&[("HOME", "h")]), None);
    }

    #[test]
    fn a_secret_is_the_users_alone_and_survives() {
        let home = tempfile::tempdir().unwrap();
        let state = Directories::below(&home.path().join("new"))
            .state()
            .unwrap();
        assert_eq!(mode(&state), 0o700);
        let path = state.join("secret");
        assert!(read_secret(&path).unwrap().is_none());
        assert_eq!(*create_secret(&path, b"mine").unwrap(), b"mine");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(**read_secret(&path).unwrap().unwrap(), *b"mine");
        assert_eq!(
            fs::read_dir(&state).unwrap().count(),
            1,
            "nothing else is left"
        );
    }

    #[test]
    fn whoever_makes_a_secret_second_gets_the_first() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        let mine = |secret: u8| create_secret(&path, &[secret; 32]).unwrap();
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || mine(n))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(all.iter().all(|secret| *secret == all[0]));
        assert_eq!(*all[0], fs::read(&path).unwrap());
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        create_secret(&path, b"mine").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_secret(&path), Err(StateError::Exposed(_))));
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let directories = Directories::below(home.path());
        let state = directories.state().unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(
            directories.state(),
            Err(StateError::NotPrivate(_))
        ));
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        replace(&path, b"long contents").unwrap();
        replace(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        let nowhere = home.path().join("no/such/directory");
        assert!(matches!(replace(&nowhere, b""), Err(StateError::Io { .. })));
    }
}
