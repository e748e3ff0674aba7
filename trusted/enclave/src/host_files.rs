//! A directory of the host, unprotected, by host calls (`docs/abi.md`, "Host files").
//!
//! The host makes up what it likes: contents, names, sizes, times. What it cannot do is break the rules that the runtime
//! relies on: counts fit what was asked, names are single names, numbers of nodes are only ever handed back.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use twine_abi::exchange::file::{
    ENTRY_LEN, ROOT, Status as HostStatus, TIME_UNCHANGED, access, kind,
};
use twine_abi::exchange::{HostCall, HostErrno, PAYLOAD_LEN};
use twine_runtime::Fault;
use twine_runtime::files::{
    Access, DirectoryEntry, Error, FileKind, FileSystem, Found, Node, Result, Scope, Status,
};

use crate::host::{self, CallError};

/// Longest name, and longest target of a link, that is taken from the host.
const NAME_LEN_MAX: usize = 255;
const TARGET_LEN_MAX: usize = 4095;

/// Every answer that is not an error.
const ANY: core::ops::RangeInclusive<u64> = 0..=i64::MAX.cast_unsigned();

/// The directory behind a mount, by the mount's position in the launch document.
pub(crate) struct HostFiles {
    mount: u64,
    /// How often each node is held. The host is told when it is not held any more.
    held: BTreeMap<u64, u64>,
}

impl HostFiles {
    pub(crate) const fn new(mount: usize) -> Self {
        Self {
            mount: mount as u64,
            held: BTreeMap::new(),
        }
    }

    fn held(&mut self, number: u64) -> Node {
        *self.held.entry(number).or_default() += 1;
        Node(number)
    }

    fn call(&self, call: HostCall, args: [u64; 4]) -> Result {
        self.ask(call, args, &[], 0..=0).map(drop)
    }

    /// A call that sends strings, one after the other.
    fn name(&self, call: HostCall, args: [u64; 4], name: &[u8]) -> Result {
        self.ask(call, args, name, 0..=0).map(drop)
    }

    fn ask(
        &self,
        call: HostCall,
        [first, second, third, fourth]: [u64; 4],
        payload: &[u8],
        allowed: core::ops::RangeInclusive<u64>,
    ) -> Result<u64> {
        if payload.len() > PAYLOAD_LEN {
            return Err(Error::NameTooLong);
        }
        let args = [self.mount, first, second, third, fourth, 0];
        host::call_with(call, args, payload, allowed).map_err(failed)
    }

    /// A call that is answered by bytes, at most as many as `into` holds.
    fn fill(
        &self,
        call: HostCall,
        [first, second, third]: [u64; 3],
        into: &mut [u8],
    ) -> Result<usize> {
        let args = [self.mount, first, second, third, 0, 0];
        host::call_for(call, args, into).map_err(failed)
    }
}

/// The status in the payload of the answer that came last.
fn status_in_payload() -> Result<Status> {
    let mut words = [0; HostStatus::WORDS];
    host::read_payload_words(&mut words);
    let status = HostStatus::from_words(words);
    Ok(Status {
        inode: status.inode,
        kind: kind_of(status.kind)?,
        links: status.links,
        size: status.size.min(i64::MAX.cast_unsigned()),
        accessed: status.accessed,
        modified: status.modified,
        changed: status.changed,
        parent: status.parent,
    })
}

impl FileSystem for HostFiles {
    fn root(&self) -> Node {
        Node(ROOT)
    }

    fn lookup(&mut self, dir: Node, name: &[u8]) -> Result<Found> {
        let args = [dir.0, name.len() as u64, 0, 0];
        let number = self.ask(HostCall::FileLookup, args, name, ANY)?;
        let kind = status_in_payload()?.kind;
        let node = self.held(number);
        Ok(Found { node, kind })
    }

    fn hold(&mut self, node: Node) -> Result {
        self.held(node.0);
        Ok(())
    }

    fn release(&mut self, node: Node) {
        let Some(held) = self.held.get_mut(&node.0) else {
            return;
        };
        *held -= 1;
        if *held == 0 {
            self.held.remove(&node.0);
            // Whether the host keeps it is its own affair.
            let _ = self.call(HostCall::FileRelease, [node.0, 0, 0, 0]);
        }
    }

    fn open(&mut self, node: Node, how: Access) -> Result {
        let wanted = match how {
            Access::ReadOnly => access::READ,
            Access::ReadWrite => access::READ | access::WRITE,
        };
        self.call(HostCall::FileOpen, [node.0, wanted, 0, 0])
    }

    fn create_file(&mut self, dir: Node, name: &[u8]) -> Result<Node> {
        let args = [dir.0, name.len() as u64, 0, 0];
        let number = self.ask(HostCall::FileCreate, args, name, ANY)?;
        Ok(self.held(number))
    }

    fn create_directory(&mut self, dir: Node, name: &[u8]) -> Result {
        let args = [dir.0, name.len() as u64, 0, 0];
        self.name(HostCall::FileCreateDirectory, args, name)
    }

    fn create_link(&mut self, dir: Node, name: &[u8], target: &[u8]) -> Result {
        let args = [dir.0, name.len() as u64, target.len() as u64, 0];
        self.name(HostCall::FileCreateLink, args, &[name, target].concat())
    }

    fn link(&mut self, node: Node, dir: Node, name: &[u8]) -> Result {
        let args = [node.0, dir.0, name.len() as u64, 0];
        self.name(HostCall::FileLink, args, name)
    }

    fn remove_file(&mut self, dir: Node, name: &[u8]) -> Result {
        self.name(HostCall::FileRemove, [dir.0, name.len() as u64, 0, 0], name)
    }

    fn remove_directory(&mut self, dir: Node, name: &[u8]) -> Result {
        self.name(HostCall::FileRemove, [dir.0, name.len() as u64, 1, 0], name)
    }

    fn rename(&mut self, from_dir: Node, from: &[u8], to_dir: Node, to: &[u8]) -> Result {
        let args = [from_dir.0, to_dir.0, from.len() as u64, to.len() as u64];
        self.name(HostCall::FileRename, args, &[from, to].concat())
    }

    fn read_link(&mut self, node: Node) -> Result<Vec<u8>> {
        let mut target = alloc::vec![0; TARGET_LEN_MAX];
        let len = self.fill(HostCall::FileReadLink, [node.0, 0, 0], &mut target)?;
        target.truncate(len);
        Ok(target)
    }

    fn status(&mut self, node: Node) -> Result<Status> {
        self.call(HostCall::FileStatus, [node.0, 0, 0, 0])?;
        status_in_payload()
    }

    fn set_times(&mut self, node: Node, accessed: Option<u64>, modified: Option<u64>) -> Result {
        let time = |time: Option<u64>| time.unwrap_or(TIME_UNCHANGED);
        let args = [node.0, time(accessed), time(modified), 0];
        self.call(HostCall::FileSetTimes, args)
    }

    fn set_size(&mut self, node: Node, size: u64) -> Result {
        self.call(HostCall::FileSetSize, [node.0, size, 0, 0])
    }

    fn allocate(&mut self, node: Node, offset: u64, len: u64) -> Result {
        self.call(HostCall::FileAllocate, [node.0, offset, len, 0])
    }

    fn read(&mut self, node: Node, offset: u64, into: &mut [u8]) -> Result<usize> {
        let mut total = 0;
        for part in into.chunks_mut(PAYLOAD_LEN) {
            let at = offset.saturating_add(total as u64);
            let len = self.fill(HostCall::FileRead, [node.0, at, part.len() as u64], part)?;
            total += len;
            if len < part.len() {
                break;
            }
        }
        Ok(total)
    }

    fn write(&mut self, node: Node, offset: u64, data: &[u8]) -> Result<usize> {
        let mut total = 0;
        for part in data.chunks(PAYLOAD_LEN) {
            let len = part.len() as u64;
            let at = offset.saturating_add(total as u64);
            let taken = match self.ask(HostCall::FileWrite, [node.0, at, len, 0], part, 0..=len) {
                Err(_) if total > 0 => break,
                taken => usize::try_from(taken?).unwrap_or_default(),
            };
            total += taken;
            if taken < part.len() {
                break;
            }
        }
        Ok(total)
    }

    fn read_directory(
        &mut self,
        dir: Node,
        cookie: u64,
        count: usize,
    ) -> Result<Vec<DirectoryEntry>> {
        let mut bytes = alloc::vec![0; PAYLOAD_LEN];
        let (mut cookie, mut entries) = (cookie, Vec::new());
        // Names that no guest can use are left out; if that leaves none, the next ones are asked for.
        while entries.is_empty() {
            let args = [dir.0, cookie, count as u64];
            let len = self.fill(HostCall::FileReadDirectory, args, &mut bytes)?;
            let mut rest = bytes.get(..len).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            while !rest.is_empty() {
                let (entry, after) = entry(rest).ok_or_else(|| failed(CallError::Misbehaved))?;
                cookie = entry.next;
                if is_name(&entry.name) && entries.len() < count {
                    entries.push(entry);
                }
                rest = after;
            }
        }
        Ok(entries)
    }

    fn sync(&mut self, node: Node, scope: Scope) -> Result {
        let everything = (scope == Scope::Everything).into();
        self.call(HostCall::FileSync, [node.0, everything, 0, 0])
    }

    fn close(self: Box<Self>) -> core::result::Result<(), String> {
        // Everything written is with the host already.
        Ok(())
    }
}

/// The entry at the front of the host's answer, and the rest.
fn entry(bytes: &[u8]) -> Option<(DirectoryEntry, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<ENTRY_LEN>()?;
    let [inode, next, kind_and_len] = head.as_chunks::<8>().0 else {
        return None;
    };
    let [kind, name_len] = kind_and_len.as_chunks::<4>().0 else {
        return None;
    };
    let name_len = usize::try_from(u32::from_le_bytes(*name_len)).ok()?;
    let (name, rest) = rest.split_at_checked(name_len)?;
    let entry = DirectoryEntry {
        name: name.into(),
        inode: u64::from_le_bytes(*inode),
        kind: kind_of(u32::from_le_bytes(*kind).into()).ok()?,
        next: u64::from_le_bytes(*next),
    };
    Some((entry, rest))
}

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && name.len() <= NAME_LEN_MAX
        && !name.contains(&b'/')
        && !name.contains(&0)
        && str::from_utf8(name).is_ok()
}

fn kind_of(number: u64) -> Result<FileKind> {
    match number {
        kind::FILE => Ok(FileKind::File),
        kind::DIRECTORY => Ok(FileKind::Directory),
        kind::LINK => Ok(FileKind::Link),
        kind::OTHER => Ok(FileKind::Other),
        _ => Err(failed(CallError::Misbehaved)),
    }
}

fn failed(error: CallError) -> Error {
    let errno = match error {
        CallError::Misbehaved => return Fault::Misbehaved("an answer out of range").into(),
        CallError::Failed(errno) => errno,
    };
    match errno {
        HostErrno::NotPermitted => Error::NotPermitted,
        HostErrno::NotFound => Error::NotFound,
        HostErrno::NoMemory => Error::NoMemory,
        HostErrno::Denied => Error::Denied,
        HostErrno::Busy => Error::Busy,
        HostErrno::Exists => Error::Exists,
        HostErrno::CrossDevice => Error::CrossDevice,
        HostErrno::NotADirectory => Error::NotADirectory,
        HostErrno::IsADirectory => Error::IsADirectory,
        HostErrno::Invalid => Error::Invalid,
        HostErrno::TooManyOpen => Error::TooManyOpen,
        HostErrno::TooLarge => Error::TooLarge,
        HostErrno::NoSpace => Error::NoSpace,
        HostErrno::ReadOnly => Error::ReadOnly,
        HostErrno::TooManyLinks => Error::TooManyLinks,
        HostErrno::NameTooLong => Error::NameTooLong,
        HostErrno::NotEmpty => Error::NotEmpty,
        HostErrno::NotSupported => Error::NotSupported,
        HostErrno::Interrupted | HostErrno::Io | HostErrno::Again | HostErrno::BrokenPipe => {
            Fault::Host(errno).into()
        }
    }
}
