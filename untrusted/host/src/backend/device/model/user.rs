//! The caller's memory as the kernel sees it: an address may lead nowhere, and what lies there has a mapping.

#![expect(
    unsafe_code,
    reason = "reading at an address that may lead nowhere takes a system call"
)]

use std::fs;
use std::io;
use std::path::Path;
use std::ptr;

use rustix::fs::StatVfsMountFlags;

use super::World;

/// Reads `N` bytes at an address of this process.
///
/// # Errors
/// EFAULT where nothing can be read.
pub(super) fn copy<const N: usize>(world: &World, address: u64, rule: &str) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let to = libc::iovec {
        iov_base: ptr::from_mut(&mut bytes).cast(),
        iov_len: N,
    };
    let from = libc::iovec {
        iov_base: ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(usize::MAX)),
        iov_len: N,
    };
    let process = rustix::process::getpid().as_raw_pid();
    // SAFETY: writes to a variable of our own; the kernel checks where it reads.
    let read = unsafe { libc::process_vm_readv(process, &raw const to, 1, &raw const from, 1, 0) };
    world.demand(usize::try_from(read) == Ok(N), libc::EFAULT, rule)?;
    Ok(bytes)
}

/// Checks that what lies at an address could be executed: the driver takes pages from nowhere else.
///
/// # Errors
/// EFAULT where nothing is mapped, EACCES for a file on a mount without execution.
pub(super) fn may_execute(world: &World, address: u64) -> io::Result<()> {
    world.demand(
        look(address, |mapping| mapping.is_some())?,
        libc::EFAULT,
        "ADD_PAGES: src leads to memory",
    )?;
    let is_executable = |mapping: Option<Mapping<'_>>| {
        mapping.is_some_and(|mapping| {
            mapping.file.is_none_or(|path| {
                let pretended = world.lock(&world.noexec);
                let mount = rustix::fs::statvfs(path);
                let is_pretended = pretended
                    .as_ref()
                    .is_some_and(|folder| path.starts_with(folder));
                !is_pretended
                    && mount.is_ok_and(|stat| !stat.f_flag.contains(StatVfsMountFlags::NOEXEC))
            })
        })
    };
    world.demand(
        look(address, is_executable)?,
        libc::EACCES,
        "ADD_PAGES: src may be executed (no file on a noexec mount)",
    )
}

/// Whether a range is one mapping of nothing, without access: reserved, and nobody else's.
pub(super) fn is_reserved(start: u64, len: u64) -> io::Result<bool> {
    look(start, |mapping| {
        mapping.is_some_and(|mapping| {
            mapping.file.is_none()
                && mapping.access == "---p"
                && start.checked_add(len).is_some_and(|end| end <= mapping.end)
        })
    })
}

/// Whether what is mapped at the address is as expected. The kernel hands its list out in pieces, between which other threads
/// map and unmap: an answer that nobody expects is asked for again.
fn look(address: u64, expected: impl Fn(Option<Mapping<'_>>) -> bool) -> io::Result<bool> {
    for _ in 0..LOOKS {
        let maps = fs::read_to_string("/proc/self/maps")?;
        if expected(maps.lines().find_map(|line| Mapping::parse(line, address))) {
            return Ok(true);
        }
    }
    Ok(false)
}

const LOOKS: usize = 16;

struct Mapping<'a> {
    end: u64,
    access: &'a str,
    file: Option<&'a Path>,
}

impl<'a> Mapping<'a> {
    /// Reads a line of `/proc/self/maps`, if it is about the address.
    fn parse(line: &'a str, address: u64) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        let access = words.next()?;
        let file = words.nth(3).filter(|name| name.starts_with('/'));
        (start..end).contains(&address).then_some(Self {
            end,
            access,
            file: file.map(Path::new),
        })
    }
}
