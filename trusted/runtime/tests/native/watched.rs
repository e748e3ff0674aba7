//! A file system around another one: counts what is held, and fails where a test wants it to.

#![expect(
    clippy::unwrap_used,
    reason = "a count that cannot be kept is a failing test, wherever the helper stands"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use twine_runtime::files::{
    Access, DirectoryEntry, Error, FileSystem, Found, Node, Result, Scope, Status,
};

/// What was seen of a file system.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// How often each node is held, if it is.
    pub(crate) held: BTreeMap<Node, usize>,
    /// What was made durable, in order.
    pub(crate) syncs: Vec<Scope>,
    /// Whether it was closed.
    pub(crate) closed: bool,
    /// What reading, writing, syncing and listing return instead of what they should.
    pub(crate) failure: Option<Error>,
    /// Whether files may only be read.
    pub(crate) denies_writing: bool,
    /// Why closing fails.
    pub(crate) close_failure: Option<String>,
    /// What is told when somebody asks.
    pub(crate) trouble: Option<String>,
}

pub(crate) struct Watched {
    inner: Box<dyn FileSystem>,
    watch: Rc<RefCell<Watch>>,
}

impl Watched {
    pub(crate) fn around(inner: Box<dyn FileSystem>) -> (Box<dyn FileSystem>, Rc<RefCell<Watch>>) {
        let watch = Rc::default();
        let watched = Self {
            inner,
            watch: Rc::clone(&watch),
        };
        (Box::new(watched), watch)
    }

    fn fail(&self) -> Result {
        self.watch.borrow().failure.map_or(Ok(()), Err)
    }

    fn count(&self, node: Node) {
        *self.watch.borrow_mut().held.entry(node).or_default() += 1;
    }
}

impl FileSystem for Watched {
    fn root(&self) -> Node {
        self.inner.root()
    }

    fn lookup(&mut self, dir: Node, name: &[u8]) -> Result<Found> {
        let found = self.inner.lookup(dir, name)?;
        self.count(found.node);
        Ok(found)
    }

    fn hold(&mut self, node: Node) -> Result {
        self.inner.hold(node)?;
        self.count(node);
        Ok(())
    }

    fn release(&mut self, node: Node) {
        let held = &mut self.watch.borrow_mut().held;
        let count = held.get_mut(&node).unwrap();
        *count -= 1;
        if *count == 0 {
            held.remove(&node);
        }
        self.inner.release(node);
    }

    fn open(&mut self, node: Node, access: Access) -> Result {
        match access {
            Access::ReadWrite if self.watch.borrow().denies_writing => Err(Error::Denied),
            _ => self.inner.open(node, access),
        }
    }

    fn create_file(&mut self, dir: Node, name: &[u8]) -> Result<Node> {
        let node = self.inner.create_file(dir, name)?;
        self.count(node);
        Ok(node)
    }

    fn create_directory(&mut self, dir: Node, name: &[u8]) -> Result {
        self.inner.create_directory(dir, name)
    }

    fn create_link(&mut self, dir: Node, name: &[u8], target: &[u8]) -> Result {
        self.inner.create_link(dir, name, target)
    }

    fn link(&mut self, node: Node, dir: Node, name: &[u8]) -> Result {
        self.inner.link(node, dir, name)
    }

    fn remove_file(&mut self, dir: Node, name: &[u8]) -> Result {
        self.inner.remove_file(dir, name)
    }

    fn remove_directory(&mut self, dir: Node, name: &[u8]) -> Result {
        self.inner.remove_directory(dir, name)
    }

    fn rename(&mut self, from_dir: Node, from: &[u8], to_dir: Node, to: &[u8]) -> Result {
        self.inner.rename(from_dir, from, to_dir, to)
    }

    fn read_link(&mut self, node: Node) -> Result<Vec<u8>> {
        self.inner.read_link(node)
    }

    fn status(&mut self, node: Node) -> Result<Status> {
        self.inner.status(node)
    }

    fn set_times(&mut self, node: Node, accessed: Option<u64>, modified: Option<u64>) -> Result {
        self.inner.set_times(node, accessed, modified)
    }

    fn set_size(&mut self, node: Node, size: u64) -> Result {
        self.inner.set_size(node, size)
    }

    fn allocate(&mut self, node: Node, offset: u64, len: u64) -> Result {
        self.inner.allocate(node, offset, len)
    }

    // Fails after the bytes are there: the guest must not see them.
    fn read(&mut self, node: Node, offset: u64, into: &mut [u8]) -> Result<usize> {
        let len = self.inner.read(node, offset, into)?;
        self.fail().map(|()| len)
    }

    fn write(&mut self, node: Node, offset: u64, data: &[u8]) -> Result<usize> {
        self.fail()?;
        self.inner.write(node, offset, data)
    }

    fn read_directory(
        &mut self,
        dir: Node,
        cookie: u64,
        count: usize,
    ) -> Result<Vec<DirectoryEntry>> {
        self.fail()?;
        self.inner.read_directory(dir, cookie, count)
    }

    fn sync(&mut self, node: Node, scope: Scope) -> Result {
        self.fail()?;
        self.watch.borrow_mut().syncs.push(scope);
        self.inner.sync(node, scope)
    }

    fn trouble(&mut self) -> Option<String> {
        self.watch.borrow_mut().trouble.take()
    }

    fn close(self: Box<Self>) -> std::result::Result<(), String> {
        let mut watch = self.watch.borrow_mut();
        assert!(watch.held.is_empty(), "still held: {:?}", watch.held);
        watch.closed = true;
        match watch.close_failure.take() {
            Some(reason) => Err(reason),
            None => self.inner.close(),
        }
    }
}
