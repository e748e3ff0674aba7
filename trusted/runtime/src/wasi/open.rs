//! `path_open`.

use wasmtime::Linker;

use crate::descriptors::{Entry, OpenDirectory, OpenFile, Origin, Resource, Rights};
use crate::files::{self, Access, Error, File, FileKind, FileSystem, Found, Last, Place};
use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::fd::flags_from;
use crate::wasi::memory::GuestRange;
use crate::wasi::path::last_of;
use crate::wasi::rights::{DIRECTORY, FILE, WRITING, access, directory_with};
use crate::wasi::types::{Errno, fdflag, oflag, right};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        path_open(fd: u32, lookup: u32, path: u32, len: u32, how: u32, base: u64, inheriting: u64, flags: u32, opened: u32),
    );
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "WASI's signature")]
fn path_open(
    call: &mut Call<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    how: u32,
    base: u64,
    inheriting: u64,
    flags: u32,
    opened: u32,
) -> Result {
    let flags = flags_from(flags)?;
    // Some programs ask for every bit. They get those that mean something for files.
    let rights = Rights {
        base: base & right::ALL,
        inheriting: inheriting & right::ALL,
    };
    let how = How::new(lookup, how, rights)?;
    let dir = directory_with(call, fd, how.needs())?;
    check_inheritance(call, fd, rights, flags)?;
    // All that can fail later is the file system: nothing is created that then has no descriptor.
    call.memory.write_u32(opened, 0)?;
    call.state
        .descriptors
        .has_room()
        .map_err(|_| Errno::Mfile)?;
    let path = call.memory.slice(GuestRange { address: path, len })?;
    let allowed = call.state.mounts.access(dir.mount);
    let files = call.state.mounts.files(dir.mount)?;
    let opened_as = files::at(files, dir.node, path, how.last, |files, place| {
        how.open(files, place, allowed)
    })?;
    let file = File {
        mount: dir.mount,
        node: opened_as.found.node,
    };
    let entry = entry(file, &opened_as, rights, flags);
    let number = call.state.descriptors.open(entry);
    let number = number.map_err(|_| Errno::Mfile)?;
    Ok(call.memory.write_u32(opened, number)?)
}

/// Nothing can be opened with more than the directory passes on.
fn check_inheritance(
    call: &Call<'_>,
    fd: u32,
    rights: Rights,
    flags: u16,
) -> core::result::Result<(), Errno> {
    let passed = call
        .state
        .descriptors
        .entry(fd)
        .map_err(|_| Errno::Badf)?
        .rights
        .inheriting;
    let syncs = match flags & (fdflag::RSYNC | fdflag::SYNC) {
        0 => right::FD_DATASYNC | right::FD_SYNC,
        _ => right::FD_SYNC,
    };
    let unsynced = flags & (fdflag::DSYNC | fdflag::RSYNC | fdflag::SYNC) == 0;
    if (rights.base | rights.inheriting) & !passed == 0 && (unsynced || passed & syncs != 0) {
        Ok(())
    } else {
        Err(Errno::Notcapable)
    }
}

fn entry(file: File, opened: &Opened, rights: Rights, flags: u16) -> Entry {
    let (resource, base, inheriting) = match opened.found.kind {
        FileKind::Directory => {
            let open = OpenDirectory {
                file,
                origin: Origin::Guest,
            };
            (Resource::Directory(open), DIRECTORY, DIRECTORY | FILE)
        }
        _ => {
            let base = match opened.access {
                Access::ReadWrite => FILE,
                Access::ReadOnly => FILE & !WRITING,
            };
            (Resource::File(OpenFile { file, position: 0 }), base, 0)
        }
    };
    Entry {
        resource,
        // Those that mean nothing for what it turned out to be are dropped.
        rights: Rights {
            base: rights.base & base,
            inheriting: rights.inheriting & inheriting,
        },
        flags,
    }
}

/// How something is to be opened.
struct How {
    flags: u32,
    last: Last,
    access: Access,
    /// Whether it is to be written as a stream of bytes, which no directory can. Without this, rights to change a file's
    /// size are for where it can be done: Go's library asks for them wherever it reads.
    writes: bool,
}

/// What was opened, held once more, and for what.
struct Opened {
    found: Found,
    access: Access,
}

impl How {
    fn new(lookup: u32, flags: u32, rights: Rights) -> core::result::Result<Self, Errno> {
        let creates_directory = oflag::CREAT | oflag::DIRECTORY;
        if flags & !oflag::ALL != 0 || flags & creates_directory == creates_directory {
            return Err(Errno::Inval);
        }
        let last = last_of(lookup)?;
        let how = Self {
            flags,
            last,
            access: access(rights.base),
            writes: rights.base & right::FD_WRITE != 0,
        };
        match how.is(oflag::CREAT) && how.is(oflag::EXCL) {
            // What must not be there must not be a link to somewhere either.
            true => Ok(Self {
                last: Last::Keep,
                ..how
            }),
            false => Ok(how),
        }
    }

    const fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn needs(&self) -> u64 {
        let create = if self.is(oflag::CREAT) {
            right::PATH_CREATE_FILE
        } else {
            0
        };
        let cut = if self.is(oflag::TRUNC) {
            right::PATH_FILESTAT_SET_SIZE
        } else {
            0
        };
        right::PATH_OPEN | create | cut
    }

    /// Opens what is there, or creates it, as far as it is allowed.
    fn open(
        &self,
        files: &mut dyn FileSystem,
        place: &Place,
        allowed: Access,
    ) -> files::Result<Opened> {
        match place {
            Place::Name {
                found: None,
                dir,
                name,
                slash,
            } if self.is(oflag::CREAT) => match (slash, allowed) {
                (true, _) => Err(Error::IsADirectory),
                (_, Access::ReadOnly) => Err(Error::ReadOnly),
                (_, Access::ReadWrite) => Ok(Opened {
                    found: Found {
                        node: files.create_file(*dir, name)?,
                        kind: FileKind::File,
                    },
                    access: Access::ReadWrite,
                }),
            },
            _ => self.open_found(files, place.found()?, allowed),
        }
    }

    fn open_found(
        &self,
        files: &mut dyn FileSystem,
        found: Found,
        allowed: Access,
    ) -> files::Result<Opened> {
        let changes = self.writes || self.is(oflag::TRUNC);
        match found.kind {
            _ if self.is(oflag::CREAT) && self.is(oflag::EXCL) => return Err(Error::Exists),
            FileKind::Directory
                if self.writes || self.is(oflag::CREAT) || self.is(oflag::TRUNC) =>
            {
                return Err(Error::IsADirectory);
            }
            FileKind::Directory => {}
            _ if self.is(oflag::DIRECTORY) => return Err(Error::NotADirectory),
            FileKind::Link => return Err(Error::Loop),
            FileKind::File | FileKind::Other if changes && allowed == Access::ReadOnly => {
                return Err(Error::ReadOnly);
            }
            FileKind::File | FileKind::Other => {}
        }
        let access = match allowed {
            // Cutting is writing, whatever rights the guest wants afterwards.
            _ if changes => Access::ReadWrite,
            Access::ReadOnly => Access::ReadOnly,
            Access::ReadWrite => self.access,
        };
        let access = match files.open(found.node, access) {
            Err(Error::Denied | Error::ReadOnly) if access == Access::ReadWrite && !changes => {
                files.open(found.node, Access::ReadOnly)?;
                Access::ReadOnly
            }
            other => other.map(|()| access)?,
        };
        if self.is(oflag::TRUNC) {
            files.set_size(found.node, 0)?;
        }
        files.hold(found.node)?;
        Ok(Opened { found, access })
    }
}
