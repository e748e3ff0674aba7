//! The model as a file system of a guest: one directory of files, which is all that SQLite needs.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use twine_runtime::FileSystem;
use twine_runtime::Mount;
use twine_runtime::files::{DirectoryEntry, Error, FileKind, Found, Node, Result, Scope, Status};

use super::{Form, Ledger, Pfs};

/// Files of the model.
pub(crate) struct Files {
    form: Form,
    exit: Duration,
    files: BTreeMap<u64, Entry>,
    names: BTreeMap<Vec<u8>, u64>,
    next: u64,
    /// What all of them have spent.
    spent: Ledger,
}

struct Entry {
    file: Pfs,
    holds: u32,
}

const ROOT: Node = Node(1);

impl Files {
    /// An empty directory, which notes what the time is spent on.
    pub(crate) fn new(form: Form, exit: Duration, spent: &Ledger) -> Self {
        Self {
            form,
            exit,
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            next: 2,
            spent: Rc::clone(spent),
        }
    }

    /// The mount of it as a guest's root.
    pub(crate) fn mount(self) -> Mount {
        Mount {
            path: "/".to_owned(),
            files: Box::new(self),
            access: twine_runtime::files::Access::ReadWrite,
        }
    }

    fn file(&mut self, node: Node) -> Result<&mut Pfs> {
        let entry = self.files.get_mut(&node.0);
        entry.map(|entry| &mut entry.file).ok_or(Error::NotFound)
    }

    /// A file is gone when it has no name and nobody holds it.
    fn forget(&mut self, number: u64) {
        let named = self.names.values().any(|other| *other == number);
        let held = self.files.get(&number).is_some_and(|entry| entry.holds > 0);
        if !named && !held {
            self.files.remove(&number);
        }
    }
}

fn failed(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::Unsupported => Error::NotSupported,
        io::ErrorKind::StorageFull => Error::NoSpace,
        _ => Error::Io,
    }
}

impl FileSystem for Files {
    fn root(&self) -> Node {
        ROOT
    }

    fn lookup(&mut self, _: Node, name: &[u8]) -> Result<Found> {
        let node = Node(*self.names.get(name).ok_or(Error::NotFound)?);
        self.hold(node)?;
        let kind = FileKind::File;
        Ok(Found { node, kind })
    }

    fn hold(&mut self, node: Node) -> Result {
        if let Some(entry) = self.files.get_mut(&node.0) {
            entry.holds += 1;
        }
        Ok(())
    }

    fn release(&mut self, node: Node) {
        if let Some(entry) = self.files.get_mut(&node.0) {
            entry.holds = entry.holds.saturating_sub(1);
        }
        self.forget(node.0);
    }

    fn open(&mut self, _: Node, _: twine_runtime::files::Access) -> Result {
        Ok(())
    }

    fn create_file(&mut self, _: Node, name: &[u8]) -> Result<Node> {
        let temporary = || tempfile::tempfile().map_err(|error| failed(&error));
        let host = (temporary()?, temporary()?);
        let file = Pfs::new(host, self.form, self.exit, Rc::clone(&self.spent));
        let number = self.next;
        self.next += 1;
        self.files.insert(number, Entry { file, holds: 1 });
        self.names.insert(name.to_vec(), number);
        Ok(Node(number))
    }

    fn create_directory(&mut self, _: Node, _: &[u8]) -> Result {
        Err(Error::NotSupported)
    }

    fn create_link(&mut self, _: Node, _: &[u8], _: &[u8]) -> Result {
        Err(Error::NotSupported)
    }

    fn link(&mut self, _: Node, _: Node, _: &[u8]) -> Result {
        Err(Error::NotSupported)
    }

    fn remove_file(&mut self, _: Node, name: &[u8]) -> Result {
        let number = self.names.remove(name).ok_or(Error::NotFound)?;
        self.forget(number);
        Ok(())
    }

    fn remove_directory(&mut self, _: Node, _: &[u8]) -> Result {
        Err(Error::NotSupported)
    }

    fn rename(&mut self, _: Node, _: &[u8], _: Node, _: &[u8]) -> Result {
        Err(Error::NotSupported)
    }

    fn read_link(&mut self, _: Node) -> Result<Vec<u8>> {
        Err(Error::Invalid)
    }

    fn status(&mut self, node: Node) -> Result<Status> {
        let (kind, size) = if node == ROOT {
            (FileKind::Directory, 0)
        } else {
            (FileKind::File, self.file(node)?.size())
        };
        Ok(Status {
            inode: node.0,
            kind,
            links: 1,
            size,
            accessed: 0,
            modified: 0,
            changed: 0,
            parent: ROOT.0,
        })
    }

    fn set_times(&mut self, _: Node, _: Option<u64>, _: Option<u64>) -> Result {
        Ok(())
    }

    fn set_size(&mut self, node: Node, size: u64) -> Result {
        self.file(node)?
            .set_size(size)
            .map_err(|error| failed(&error))
    }

    fn allocate(&mut self, _: Node, _: u64, _: u64) -> Result {
        Err(Error::NotSupported)
    }

    fn read(&mut self, node: Node, offset: u64, into: &mut [u8]) -> Result<usize> {
        let read = self.file(node)?.read(offset, into);
        read.map_err(|error| failed(&error))
    }

    fn write(&mut self, node: Node, offset: u64, data: &[u8]) -> Result<usize> {
        let written = self.file(node)?.write(offset, data);
        written.map_err(|error| failed(&error))?;
        Ok(data.len())
    }

    fn read_directory(&mut self, _: Node, _: u64, _: usize) -> Result<Vec<DirectoryEntry>> {
        Err(Error::NotSupported)
    }

    fn sync(&mut self, node: Node, _: Scope) -> Result {
        if node == ROOT {
            return Ok(());
        }
        self.file(node)?.sync().map_err(|error| failed(&error))
    }

    fn close(mut self: Box<Self>) -> core::result::Result<(), String> {
        for (_, mut entry) in std::mem::take(&mut self.files) {
            entry.file.sync().map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
