//! Paths, listings and contents.

use std::io::Write;

use twine_fs::{DirectoryEntry, FileKind, Status};

use crate::error::{Error, Result, inside};
use crate::volume::Volume;

/// Bytes moved at once.
pub(crate) const CHUNK_LEN: usize = 1 << 20;

/// Entries of a directory fetched at once.
const ENTRIES: usize = 1024;

/// One thing in a listing.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The path from the volume's root, without a slash in front.
    pub path: Vec<u8>,
    /// What is known about it.
    pub status: Status,
    /// The target of a symbolic link.
    pub target: Option<Vec<u8>>,
}

/// How far a listing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What lies in the directory.
    Directory,
    /// Everything below it.
    Everything,
}

impl Volume {
    /// Finds what a path names. Symbolic links are not followed.
    ///
    /// # Errors
    /// [`Error::Inside`].
    pub fn resolve(&mut self, path: &[u8]) -> Result<u64> {
        let mut ino = twine_fs::Volume::ROOT;
        for name in components(path) {
            ino = self.fs.lookup(ino, name).map_err(inside(path))?;
        }
        Ok(ino)
    }

    /// Lists what a path names: itself, or the contents of a directory, sorted by name.
    ///
    /// # Errors
    /// [`Error::Inside`], [`Error::TooDeep`].
    pub fn list(&mut self, path: &[u8], depth: Depth) -> Result<Vec<Listed>> {
        let ino = self.resolve(path)?;
        let path = components(path).collect::<Vec<_>>().join(&b'/');
        let mut found = Vec::new();
        if self.status_of(ino, &path)?.kind == FileKind::Directory {
            self.list_below(ino, &path, depth, &mut found)?;
        } else {
            found.push(self.listed(ino, path)?);
        }
        Ok(found)
    }

    fn list_below(
        &mut self,
        dir: u64,
        path: &[u8],
        depth: Depth,
        found: &mut Vec<Listed>,
    ) -> Result<()> {
        check_depth(path)?;
        for entry in self.entries(dir, path)? {
            let path = join(path, &entry.name);
            found.push(self.listed(entry.ino, path.clone())?);
            if depth == Depth::Everything && entry.kind == FileKind::Directory {
                self.list_below(entry.ino, &path, depth, found)?;
            }
        }
        Ok(())
    }

    fn listed(&mut self, ino: u64, path: Vec<u8>) -> Result<Listed> {
        let status = self.status_of(ino, &path)?;
        let target = match status.kind {
            FileKind::Link => Some(self.fs.read_link(ino).map_err(inside(&path))?),
            _ => None,
        };
        Ok(Listed {
            path,
            status,
            target,
        })
    }

    /// Copies a file's contents; `progress` is told how many bytes went by.
    ///
    /// # Errors
    /// [`Error::Inside`], or `write`'s.
    pub(crate) fn copy_out(
        &mut self,
        ino: u64,
        path: &[u8],
        mut write: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<u64> {
        let mut chunk = vec![0; CHUNK_LEN];
        let mut at = 0;
        loop {
            let len = self.fs.read(ino, at, &mut chunk).map_err(inside(path))?;
            if len == 0 {
                return Ok(at);
            }
            write(at, chunk.get(..len).unwrap_or_default())?;
            at += len as u64;
        }
    }

    /// Writes a file's contents to a stream.
    ///
    /// # Errors
    /// [`Error::Inside`], or the stream's.
    pub fn cat(&mut self, path: &[u8], to: &mut impl Write) -> Result<()> {
        let ino = self.resolve(path)?;
        self.copy_out(ino, path, |_, bytes| {
            to.write_all(bytes)
                .map_err(crate::error::at(std::path::Path::new("standard output")))
        })
        .map(drop)
    }

    pub(crate) fn status_of(&mut self, ino: u64, path: &[u8]) -> Result<Status> {
        self.fs.status(ino).map_err(inside(path))
    }

    /// All entries of a directory, sorted by name. Names that no file can have are refused.
    pub(crate) fn entries(&mut self, dir: u64, path: &[u8]) -> Result<Vec<DirectoryEntry>> {
        let (mut all, mut cookie) = (Vec::new(), 0);
        loop {
            let some = self
                .fs
                .read_directory(dir, cookie, ENTRIES)
                .map_err(inside(path))?;
            match some.last() {
                Some(last) => cookie = last.next,
                None => break,
            }
            all.extend(some);
        }
        if let Some(entry) = all.iter().find(|entry| !is_file_name(&entry.name)) {
            return Err(Error::ForbiddenName {
                path: join(path, &entry.name),
            });
        }
        all.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }
}

/// The names in a path; empty ones and "." mean nothing.
pub(crate) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
}

pub(crate) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        name.to_vec()
    } else {
        [path, b"/", name].concat()
    }
}

/// Refuses to go deeper than anybody nests directories. A writer of ill will can make them a circle.
pub(crate) fn check_depth(path: &[u8]) -> Result<()> {
    if components(path).count() <= DEPTH_MAX {
        return Ok(());
    }
    Err(Error::TooDeep {
        path: path.to_owned(),
        max: DEPTH_MAX,
    })
}

/// Whether a name can be created in a directory without leaving it.
fn is_file_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name != b"."
        && name != b".."
        && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// A name or path as a terminal may show it: control characters, those that change the direction of text, and bytes that
/// are not text are written as `\xNN`.
#[must_use]
pub fn printable(path: &[u8]) -> String {
    let mut out = String::new();
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            let deceives = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if c.is_control() || deceives || c == '\\' {
                escape(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut out);
            } else {
                out.push(c);
            }
        }
        escape(chunk.invalid(), &mut out);
    }
    out
}

fn escape(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        out.push_str(&format!("\\x{byte:02x}"));
    }
}

/// Directories within directories: far more than anybody makes, far fewer than files a process may open.
const DEPTH_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_no_control_characters() {
        let shown = printable("a\x1b[2Jb\\\u{202e}c\n\u{e9}".as_bytes());
        assert_eq!(shown, "a\\x1b[2Jb\\x5c\\xe2\\x80\\xaec\\x0a\u{e9}");
        assert_eq!(printable(b"\xff\xfe ok"), "\\xff\\xfe ok");
    }

    #[test]
    fn names_that_leave_a_directory_are_no_file_names() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0b"] {
            assert!(!is_file_name(name), "{name:?}");
        }
        for name in [&b"..."[..], b"a", b"\xff", b" ", b"-rf", b"\\"] {
            assert!(is_file_name(name), "{name:?}");
        }
    }

    #[test]
    fn paths_are_taken_apart_at_slashes() {
        let parts = |path| components(path).collect::<Vec<_>>();
        assert_eq!(parts(b"/a//./b/"), [b"a", b"b"]);
        assert!(parts(b"/").is_empty() && parts(b"").is_empty());
    }

    #[test]
    fn depth_is_bounded() {
        check_depth(&b"a/".repeat(DEPTH_MAX)).unwrap();
        check_depth(&b"a/".repeat(DEPTH_MAX + 1)).unwrap_err();
    }
}
