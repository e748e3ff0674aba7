//! From a path to a node, without ever leaving the directory that the path starts at.
//!
//! ```text
//!   base ── a ── b ── c        stack of nodes, all held; ".." drops the last, and there is none above the base
//!   rest: "x/../y"             what is still to be walked; a symbolic link puts its target in front
//! ```
//!
//! Nothing but names goes to the file system, never a path, so a directory that is moved away while somebody walks below
//! it cannot lead outside either.

use alloc::vec::Vec;

use crate::files::{Error, FileKind, FileSystem, Found, Node, Result};
use crate::limits::{LINKS_MAX, NAME_LEN_BYTES_MAX, PATH_LEN_BYTES_MAX};

/// What happens if the last name of a path is a symbolic link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Last {
    /// It is followed.
    Follow,
    /// It is taken itself, unless a slash behind it says that it is a directory.
    Keep,
    /// The name is what matters, not what it stands for: it is to be created, removed or moved.
    Name,
}

/// Where a path leads. All nodes are held until [`at`] returns, but what has a name that only the name matters of
/// ([`Last::Name`]): a file that is open when its name goes is more work to remove.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// A directory that the path does not name: its end is "." or "..".
    Directory(Node),
    /// A name in a directory.
    Name {
        /// The directory.
        dir: Node,
        /// The name.
        name: Vec<u8>,
        /// What has that name.
        found: Option<Found>,
        /// Whether a slash follows, so that it can only be a directory.
        slash: bool,
    },
}

impl Place {
    /// What is there.
    pub(crate) fn found(&self) -> Result<Found> {
        match *self {
            Self::Directory(node) => Ok(Found {
                node,
                kind: FileKind::Directory,
            }),
            Self::Name { found, .. } => found.ok_or(Error::NotFound),
        }
    }
}

/// Does something at the place to which `path` leads from the directory `base`.
///
/// # Errors
/// Those of the way, and of what is done.
pub(crate) fn at<T>(
    files: &mut dyn FileSystem,
    base: Node,
    path: &[u8],
    last: Last,
    act: impl FnOnce(&mut dyn FileSystem, &Place) -> Result<T>,
) -> Result<T> {
    let mut walk = Walk {
        rest: check(path)?.to_vec(),
        stack: Vec::new(),
        links: 0,
        files,
    };
    let result = match walk.walk(base, last) {
        Ok(place) => act(walk.files, &place),
        Err(error) => Err(error),
    };
    for node in walk.stack {
        walk.files.release(node);
    }
    result
}

/// Checks a path of the guest's, or what it wants a link to lead to.
///
/// # Errors
/// The rule that is broken; [`Error::Escapes`] for what starts at the root.
pub(crate) fn check(path: &[u8]) -> Result<&[u8]> {
    if path.len() > PATH_LEN_BYTES_MAX {
        return Err(Error::NameTooLong);
    }
    core::str::from_utf8(path).map_err(|_| Error::NotUtf8)?;
    inside(path)
}

/// Refuses what can be no path below a directory; paths of the guest and targets of links alike.
fn inside(path: &[u8]) -> Result<&[u8]> {
    match path.first() {
        None => Err(Error::NotFound),
        Some(b'/') => Err(Error::Escapes),
        _ if path.contains(&0) => Err(Error::Invalid),
        _ => Ok(path),
    }
}

struct Walk<'a> {
    rest: Vec<u8>,
    /// Every node that is held. All but the last are directories on the way, the first is the base.
    stack: Vec<Node>,
    links: usize,
    files: &'a mut dyn FileSystem,
}

/// What follows a name in a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    More,
    Slash,
    End,
}

impl Walk<'_> {
    fn walk(&mut self, base: Node, last: Last) -> Result<Place> {
        self.files.hold(base)?;
        self.stack.push(base);
        let mut dir = base;
        while let Some((name, then)) = self.next()? {
            match &*name {
                b"." => {}
                b".." => {
                    let [.., above, left] = *self.stack.as_slice() else {
                        return Err(Error::Escapes);
                    };
                    self.stack.pop();
                    self.files.release(left);
                    dir = above;
                }
                _ => match self.step(dir, name, then, last)? {
                    Step::Into(next) => dir = next,
                    Step::Link => {}
                    Step::There(place) => return Ok(place),
                },
            }
        }
        Ok(Place::Directory(dir))
    }

    fn step(&mut self, dir: Node, name: Vec<u8>, then: Then, last: Last) -> Result<Step> {
        let there = |name, found| {
            Ok(Step::There(Place::Name {
                dir,
                name,
                found,
                slash: then == Then::Slash,
            }))
        };
        let found = match self.files.lookup(dir, &name) {
            Err(Error::NotFound) if then != Then::More => return there(name, None),
            found => found?,
        };
        self.stack.push(found.node);
        if last == Last::Name && then != Then::More {
            self.stack.pop();
            self.files.release(found.node);
        }
        let follow = match last {
            _ if then == Then::More => true,
            Last::Follow => true,
            Last::Keep => then == Then::Slash,
            Last::Name => false,
        };
        match (found.kind, then) {
            (FileKind::Link, _) if follow => {
                let target = self.files.read_link(found.node)?;
                self.stack.pop();
                self.files.release(found.node);
                self.follow(&target).map(|()| Step::Link)
            }
            (FileKind::Directory, Then::More) => Ok(Step::Into(found.node)),
            (FileKind::Directory, _) | (_, Then::End) => there(name, Some(found)),
            (_, Then::More | Then::Slash) => Err(Error::NotADirectory),
        }
    }

    /// Puts the target of a link in front of what is left.
    fn follow(&mut self, target: &[u8]) -> Result {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Error::Loop);
        }
        if target.len() + self.rest.len() > PATH_LEN_BYTES_MAX {
            return Err(Error::NameTooLong);
        }
        self.rest.splice(..0, inside(target)?.iter().copied());
        Ok(())
    }

    /// Takes the next name off what is left.
    fn next(&mut self) -> Result<Option<(Vec<u8>, Then)>> {
        let start = self.rest.iter().position(|&byte| byte != b'/');
        let Some(start) = start else {
            return Ok(None);
        };
        self.rest.drain(..start);
        let len = self.rest.iter().position(|&byte| byte == b'/');
        let name: Vec<u8> = self.rest.drain(..len.unwrap_or(self.rest.len())).collect();
        if name.len() > NAME_LEN_BYTES_MAX {
            return Err(Error::NameTooLong);
        }
        let then = match self.rest.iter().all(|&byte| byte == b'/') {
            true if self.rest.is_empty() => Then::End,
            true => Then::Slash,
            false => Then::More,
        };
        Ok(Some((name, then)))
    }
}

enum Step {
    /// Down into a directory.
    Into(Node),
    /// A link was followed.
    Link,
    /// The end.
    There(Place),
}
