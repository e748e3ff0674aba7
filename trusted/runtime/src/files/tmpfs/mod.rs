//! A file system in memory: inside the enclave, for as long as the guest runs. Nothing of it ever leaves.
//!
//! It behaves as the protected one does, and can hold at most what it was given: bytes and inodes.
//!
//! | file | owns |
//! |---|---|
//! | `content` | bytes of files, in pages; holes take no room |
//! | `directory` | names, and the order in which they are listed |

mod content;
mod directory;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use content::Pages;
use directory::{Child, Names};

use crate::files::{
    Access, DirectoryEntry, Error, FileKind, FileSystem, Found, Node, Result, Scope, Status,
};

/// What a file system in memory may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TmpfsLimits {
    /// Bytes: contents in pages of 4096, names and targets of links with what it takes to keep them.
    pub bytes: u64,
    /// Files, directories and links, the root included.
    pub inodes: u64,
}

/// A file system in memory.
pub struct Tmpfs {
    inodes: BTreeMap<u64, Inode>,
    next: u64,
    room: Room,
    inodes_max: u64,
    now: Box<dyn Fn() -> u64>,
}

/// Bytes that are left.
#[derive(Debug)]
struct Room(u64);

struct Inode {
    content: Content,
    links: u64,
    /// How often it is held.
    holds: u64,
    accessed: u64,
    modified: u64,
    changed: u64,
}

enum Content {
    File(Pages),
    Directory(Names),
    Link(Vec<u8>),
}

const ROOT: u64 = 1;

impl Tmpfs {
    /// An empty file system. `now` tells nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn new(limits: TmpfsLimits, now: Box<dyn Fn() -> u64>) -> Self {
        let mut files = Self {
            inodes: BTreeMap::new(),
            next: ROOT,
            room: Room(limits.bytes),
            inodes_max: limits.inodes.max(1),
            now,
        };
        // The root exists even where nothing else would fit.
        let root = files.inode(Content::Directory(Names::new(ROOT)));
        files.inodes.insert(ROOT, root);
        files.next += 1;
        files
    }

    /// A file system with these files, and as much room as they take.
    ///
    /// # Errors
    /// [`Error::Exists`] if two have the same name.
    pub fn of_files<'a>(
        files: impl Iterator<Item = (&'a str, &'a [u8])>,
        now: Box<dyn Fn() -> u64>,
    ) -> Result<Self> {
        let unlimited = TmpfsLimits {
            bytes: u64::MAX,
            inodes: u64::MAX,
        };
        let mut made = Self::new(unlimited, now);
        for (name, bytes) in files {
            let file = made.create_file(made.root(), name.as_bytes())?;
            let written = made.write(file, 0, bytes)?;
            assert_eq!(written, bytes.len(), "there is room for everything");
            made.release(file);
        }
        made.room = Room(0);
        Ok(made)
    }

    fn inode(&self, content: Content) -> Inode {
        let now = (self.now)();
        Inode {
            content,
            links: 1,
            holds: 0,
            accessed: now,
            modified: now,
            changed: now,
        }
    }

    fn get(&self, node: Node) -> Result<&Inode> {
        self.inodes.get(&node.0).ok_or(Error::NotFound)
    }

    fn get_mut(&mut self, node: Node) -> Result<&mut Inode> {
        self.inodes.get_mut(&node.0).ok_or(Error::NotFound)
    }

    fn names(&self, dir: Node) -> Result<&Names> {
        self.get(dir)?.names()
    }

    fn child(&self, dir: Node, name: &[u8]) -> Result<Child> {
        self.names(dir)?.find(name).ok_or(Error::NotFound)
    }

    /// Adds a name to a directory that has one itself.
    fn add_name(&mut self, dir: Node, name: &[u8], child: Child) -> Result {
        let inode = self.inodes.get_mut(&dir.0).ok_or(Error::NotFound)?;
        let alive = inode.links > 0;
        let names = inode.names_mut()?;
        match names.find(name) {
            _ if !alive => Err(Error::NotFound),
            Some(_) => Err(Error::Exists),
            None => {
                self.room.take(Names::cost(name))?;
                names.insert(name, child);
                self.touch(dir)
            }
        }
    }

    /// Takes a name from a directory; what it stood for keeps its count of links.
    fn take_name(&mut self, dir: Node, name: &[u8]) -> Result {
        if self.get_mut(dir)?.names_mut()?.remove(name).is_some() {
            self.room.give(Names::cost(name));
        }
        self.touch(dir)
    }

    /// Notes a change of contents.
    fn touch(&mut self, node: Node) -> Result {
        let now = (self.now)();
        let inode = self.get_mut(node)?;
        (inode.modified, inode.changed) = (now, now);
        Ok(())
    }

    fn create(&mut self, dir: Node, name: &[u8], content: Content) -> Result<Node> {
        if u64::try_from(self.inodes.len()).unwrap_or(u64::MAX) >= self.inodes_max {
            // The better reason first.
            return match self.child(dir, name) {
                Ok(_) => Err(Error::Exists),
                Err(Error::NotFound) => Err(Error::NoSpace),
                Err(error) => Err(error),
            };
        }
        let node = Node(self.next);
        let child = Child {
            node,
            kind: content.kind(),
        };
        self.add_name(dir, name, child)?;
        let inode = self.inode(content);
        self.inodes.insert(node.0, inode);
        self.next += 1;
        Ok(node)
    }

    /// Takes one link from an inode that lost a name.
    fn unlink(&mut self, node: Node) -> Result {
        let now = (self.now)();
        let inode = self.get_mut(node)?;
        inode.links = inode.links.saturating_sub(1);
        inode.changed = now;
        self.forget_if_unused(node);
        Ok(())
    }

    fn forget_if_unused(&mut self, node: Node) {
        let unused = |inode: &Inode| inode.links == 0 && inode.holds == 0;
        if self.inodes.get(&node.0).is_some_and(unused)
            && let Some(inode) = self.inodes.remove(&node.0)
        {
            self.room.give(inode.content.cost());
        }
    }

    /// Whether `dir` is `above` or lies somewhere below it.
    fn is_within(&self, dir: Node, above: Node) -> Result<bool> {
        let mut at = dir;
        while at != above && at.0 != ROOT {
            at = Node(self.names(at)?.parent);
        }
        Ok(at == above)
    }

    fn check_replaceable(&self, kind: FileKind, target: Child) -> Result {
        match (kind, target.kind) {
            (FileKind::Directory, FileKind::Directory) => {
                match self.names(target.node)?.is_empty() {
                    true => Ok(()),
                    false => Err(Error::NotEmpty),
                }
            }
            (FileKind::Directory, _) => Err(Error::NotADirectory),
            (_, FileKind::Directory) => Err(Error::IsADirectory),
            _ => Ok(()),
        }
    }

    /// The pages of a file and the room for more.
    fn pages(&mut self, node: Node) -> Result<(&mut Pages, &mut Room)> {
        let inode = self.inodes.get_mut(&node.0).ok_or(Error::NotFound)?;
        match &mut inode.content {
            Content::File(pages) => Ok((pages, &mut self.room)),
            Content::Directory(_) => Err(Error::IsADirectory),
            Content::Link(_) => Err(Error::Invalid),
        }
    }
}

impl Room {
    fn take(&mut self, bytes: u64) -> Result {
        self.0 = self.0.checked_sub(bytes).ok_or(Error::NoSpace)?;
        Ok(())
    }

    const fn give(&mut self, bytes: u64) {
        self.0 = self.0.saturating_add(bytes);
    }
}

impl Inode {
    fn names(&self) -> Result<&Names> {
        match &self.content {
            Content::Directory(names) => Ok(names),
            _ => Err(Error::NotADirectory),
        }
    }

    fn names_mut(&mut self) -> Result<&mut Names> {
        match &mut self.content {
            Content::Directory(names) => Ok(names),
            _ => Err(Error::NotADirectory),
        }
    }
}

impl Content {
    const fn kind(&self) -> FileKind {
        match self {
            Self::File(_) => FileKind::File,
            Self::Directory(_) => FileKind::Directory,
            Self::Link(_) => FileKind::Link,
        }
    }

    /// Room that comes back with the inode. A directory that goes is empty.
    fn cost(&self) -> u64 {
        match self {
            Self::File(pages) => pages.cost(),
            Self::Directory(_) => 0,
            Self::Link(target) => Names::cost(target),
        }
    }
}

impl FileSystem for Tmpfs {
    fn root(&self) -> Node {
        Node(ROOT)
    }

    fn lookup(&mut self, dir: Node, name: &[u8]) -> Result<Found> {
        let Child { node, kind } = self.child(dir, name)?;
        self.hold(node)?;
        Ok(Found { node, kind })
    }

    fn hold(&mut self, node: Node) -> Result {
        let inode = self.get_mut(node)?;
        inode.holds = inode.holds.checked_add(1).ok_or(Error::TooManyOpen)?;
        Ok(())
    }

    fn release(&mut self, node: Node) {
        if let Ok(inode) = self.get_mut(node) {
            inode.holds = inode.holds.saturating_sub(1);
        }
        self.forget_if_unused(node);
    }

    fn open(&mut self, _: Node, _: Access) -> Result {
        Ok(())
    }

    fn create_file(&mut self, dir: Node, name: &[u8]) -> Result<Node> {
        let node = self.create(dir, name, Content::File(Pages::default()))?;
        self.hold(node)?;
        Ok(node)
    }

    fn create_directory(&mut self, dir: Node, name: &[u8]) -> Result {
        self.create(dir, name, Content::Directory(Names::new(dir.0)))
            .map(|_| ())
    }

    fn create_link(&mut self, dir: Node, name: &[u8], target: &[u8]) -> Result {
        self.room.take(Names::cost(target))?;
        let created = self.create(dir, name, Content::Link(target.to_vec()));
        if created.is_err() {
            self.room.give(Names::cost(target));
        }
        created.map(|_| ())
    }

    fn link(&mut self, node: Node, dir: Node, name: &[u8]) -> Result {
        let inode = self.get(node)?;
        let (kind, links) = (inode.content.kind(), inode.links);
        match kind {
            FileKind::Directory => return Err(Error::NotPermitted),
            // Removed, though still open: it must not come back.
            _ if links == 0 => return Err(Error::NotFound),
            _ => {}
        }
        self.add_name(dir, name, Child { node, kind })?;
        let now = (self.now)();
        let inode = self.get_mut(node)?;
        inode.links += 1;
        inode.changed = now;
        Ok(())
    }

    fn remove_file(&mut self, dir: Node, name: &[u8]) -> Result {
        let child = self.child(dir, name)?;
        if child.kind == FileKind::Directory {
            return Err(Error::IsADirectory);
        }
        self.take_name(dir, name)?;
        self.unlink(child.node)
    }

    fn remove_directory(&mut self, dir: Node, name: &[u8]) -> Result {
        let child = self.child(dir, name)?;
        if !self.names(child.node)?.is_empty() {
            return Err(Error::NotEmpty);
        }
        self.take_name(dir, name)?;
        self.unlink(child.node)
    }

    fn rename(&mut self, from_dir: Node, from: &[u8], to_dir: Node, to: &[u8]) -> Result {
        let moved = self.child(from_dir, from)?;
        let target = self.names(to_dir)?.find(to);
        if target.is_some_and(|target| target.node == moved.node) {
            return Ok(());
        }
        if moved.kind == FileKind::Directory && self.is_within(to_dir, moved.node)? {
            return Err(Error::Invalid);
        }
        if let Some(target) = target {
            self.check_replaceable(moved.kind, target)?;
            self.get_mut(to_dir)?.names_mut()?.replace(to, moved);
            self.touch(to_dir)?;
            self.unlink(target.node)?;
        } else {
            self.add_name(to_dir, to, moved)?;
        }
        self.take_name(from_dir, from)?;
        let now = (self.now)();
        let inode = self.get_mut(moved.node)?;
        inode.changed = now;
        if let Content::Directory(names) = &mut inode.content {
            names.parent = to_dir.0;
        }
        Ok(())
    }

    fn read_link(&mut self, node: Node) -> Result<Vec<u8>> {
        match &self.get(node)?.content {
            Content::Link(target) => Ok(target.clone()),
            _ => Err(Error::Invalid),
        }
    }

    fn status(&mut self, node: Node) -> Result<Status> {
        let inode = self.get(node)?;
        let (size, parent) = match &inode.content {
            Content::File(pages) => (pages.size(), 0),
            Content::Directory(names) => (0, names.parent),
            Content::Link(target) => (u64::try_from(target.len()).unwrap_or(u64::MAX), 0),
        };
        Ok(Status {
            inode: node.0,
            kind: inode.content.kind(),
            links: inode.links,
            size,
            accessed: inode.accessed,
            modified: inode.modified,
            changed: inode.changed,
            parent,
        })
    }

    fn set_times(&mut self, node: Node, accessed: Option<u64>, modified: Option<u64>) -> Result {
        let now = (self.now)();
        let inode = self.get_mut(node)?;
        inode.accessed = accessed.unwrap_or(inode.accessed);
        inode.modified = modified.unwrap_or(inode.modified);
        inode.changed = now;
        Ok(())
    }

    fn set_size(&mut self, node: Node, size: u64) -> Result {
        let (pages, room) = self.pages(node)?;
        pages.set_size(room, size)?;
        self.touch(node)
    }

    fn allocate(&mut self, node: Node, offset: u64, len: u64) -> Result {
        let (pages, room) = self.pages(node)?;
        pages.allocate(room, offset, len)?;
        self.touch(node)
    }

    fn read(&mut self, node: Node, offset: u64, into: &mut [u8]) -> Result<usize> {
        let (pages, _) = self.pages(node)?;
        Ok(pages.read(offset, into))
    }

    fn write(&mut self, node: Node, offset: u64, data: &[u8]) -> Result<usize> {
        let (pages, room) = self.pages(node)?;
        let written = pages.write(room, offset, data)?;
        self.touch(node)?;
        Ok(written)
    }

    fn read_directory(
        &mut self,
        dir: Node,
        cookie: u64,
        count: usize,
    ) -> Result<Vec<DirectoryEntry>> {
        Ok(self.names(dir)?.list(cookie).take(count).collect())
    }

    // There is nowhere more durable to go.
    fn sync(&mut self, node: Node, _: Scope) -> Result {
        self.get(node).map(|_| ())
    }

    fn close(self: Box<Self>) -> core::result::Result<(), String> {
        Ok(())
    }
}
