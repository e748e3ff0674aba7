//! The descriptor table: what a number that the guest names stands for.
//!
//! ```text
//!   number ──► Entry ──► Resource   what it is: a stream, a file, a directory
//!                   ├──► Rights     what may be done with it, and what may be done with what is opened through it
//!                   └──► flags      how it is done
//! ```
//!
//! The lowest free number is given out first, as POSIX has it. The table knows nothing of any WASI's types: rights and
//! flags are bits that only the calls interpret. What leaves the table is returned: a file has to be released by whoever
//! closes it.

use alloc::vec::Vec;

use twine_abi::exchange::launch_flag;

use crate::files::File;
use crate::platform::Sink;

/// What is open.
#[derive(Debug)]
pub(crate) struct Descriptors {
    entries: Vec<Option<Entry>>,
    limit: usize,
}

/// One open descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// What it is.
    pub(crate) resource: Resource,
    /// What may be done with it.
    pub(crate) rights: Rights,
    /// Bits that say how.
    pub(crate) flags: u16,
}

/// What a descriptor stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resource {
    /// A standard stream.
    Stream(Stream),
    /// A file.
    File(OpenFile),
    /// A directory.
    Directory(OpenDirectory),
}

impl Resource {
    /// What has to be released when the descriptor is closed.
    pub(crate) const fn file(self) -> Option<File> {
        match self {
            Self::Stream(_) => None,
            Self::File(OpenFile { file, .. }) | Self::Directory(OpenDirectory { file, .. }) => {
                Some(file)
            }
        }
    }
}

/// An open file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OpenFile {
    /// The file.
    pub(crate) file: File,
    /// Where the next read or write begins.
    pub(crate) position: u64,
}

/// An open directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OpenDirectory {
    /// The directory.
    pub(crate) file: File,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// Where an open directory comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// It is a mount, open from the start.
    Mount,
    /// The guest opened it.
    Guest,
}

/// A standard stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stream {
    /// Where bytes come from or go to.
    pub(crate) end: End,
    /// What the host says is at the other end. Changes nothing but how the stream describes itself.
    pub(crate) device: Device,
}

impl Stream {
    /// The number by which the stream is known from the start, whatever number it has now.
    pub(crate) const fn number(self) -> u64 {
        match self.end {
            End::Input => 0,
            End::Output(Sink::Output) => 1,
            End::Output(Sink::Error) => 2,
        }
    }
}

/// The direction of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// Standard input.
    Input,
    /// Standard output or standard error.
    Output(Sink),
}

/// What is at the other end of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Device {
    /// A terminal.
    Terminal,
    /// A file, a pipe, or nothing.
    Other,
}

/// What may be done with a descriptor, and with those opened through it. A subset can be asked for, never more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Rights {
    /// With the descriptor itself.
    pub(crate) base: u64,
    /// With what is opened through it.
    pub(crate) inheriting: u64,
}

/// The number stands for nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotOpen;

/// The table has no room for another descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TableFull;

impl Descriptors {
    /// A table for at most `limit` descriptors with the three standard streams open. `flags` are
    /// [`launch_flag`]s; `rights` says what may be done with each.
    pub(crate) fn new(
        limit: usize,
        flags: u64,
        rights: impl Fn(End) -> Rights,
    ) -> Result<Self, TableFull> {
        let mut table = Self {
            entries: Vec::new(),
            limit,
        };
        for (end, terminal) in [
            (End::Input, launch_flag::INPUT_TERMINAL),
            (End::Output(Sink::Output), launch_flag::OUTPUT_TERMINAL),
            (End::Output(Sink::Error), launch_flag::ERROR_TERMINAL),
        ] {
            let device = match flags & terminal {
                0 => Device::Other,
                _ => Device::Terminal,
            };
            table.open(Entry {
                resource: Resource::Stream(Stream { end, device }),
                rights: rights(end),
                flags: 0,
            })?;
        }
        Ok(table)
    }

    /// Whether there is a number left.
    pub(crate) fn has_room(&self) -> Result<(), TableFull> {
        match self.entries.len() < self.limit || self.entries.contains(&None) {
            true => Ok(()),
            false => Err(TableFull),
        }
    }

    /// Gives `entry` the lowest free number.
    pub(crate) fn open(&mut self, entry: Entry) -> Result<u32, TableFull> {
        let free = self.entries.iter().position(Option::is_none);
        let index = free.unwrap_or(self.entries.len());
        let number = u32::try_from(index).map_err(|_| TableFull)?;
        match self.entries.get_mut(index) {
            Some(slot) => *slot = Some(entry),
            None if index < self.limit => self.entries.push(Some(entry)),
            None => return Err(TableFull),
        }
        Ok(number)
    }

    /// The entry for `number`.
    pub(crate) fn entry(&self, number: u32) -> Result<&Entry, NotOpen> {
        let index = usize::try_from(number).map_err(|_| NotOpen)?;
        self.entries
            .get(index)
            .and_then(Option::as_ref)
            .ok_or(NotOpen)
    }

    /// The entry for `number`, to be changed.
    pub(crate) fn entry_mut(&mut self, number: u32) -> Result<&mut Entry, NotOpen> {
        self.slot(number)?.as_mut().ok_or(NotOpen)
    }

    /// Moves the position of an open file.
    pub(crate) fn set_position(&mut self, number: u32, to: u64) -> Result<(), NotOpen> {
        match &mut self.entry_mut(number)?.resource {
            Resource::File(open) => {
                open.position = to;
                Ok(())
            }
            Resource::Stream(_) | Resource::Directory(_) => Err(NotOpen),
        }
    }

    /// Closes `number`, and returns what it stood for.
    pub(crate) fn close(&mut self, number: u32) -> Result<Entry, NotOpen> {
        self.slot(number)?.take().ok_or(NotOpen)
    }

    /// Closes everything, and returns the files.
    pub(crate) fn close_all(&mut self) -> impl Iterator<Item = File> {
        core::mem::take(&mut self.entries)
            .into_iter()
            .filter_map(|entry| entry?.resource.file())
    }

    /// Makes `to` stand for what `from` stands for, closes `from`, and returns what `to` stood for if that is gone. Both have
    /// to be open.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Entry>, NotOpen> {
        self.entry(from)?;
        self.entry(to)?;
        if from == to {
            return Ok(None);
        }
        let entry = self.slot(from)?.take();
        Ok(core::mem::replace(self.slot(to)?, entry))
    }

    fn slot(&mut self, number: u32) -> Result<&mut Option<Entry>, NotOpen> {
        let index = usize::try_from(number).map_err(|_| NotOpen)?;
        self.entries.get_mut(index).ok_or(NotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_RIGHTS: Rights = Rights {
        base: 0,
        inheriting: 0,
    };

    #[test]
    fn the_lowest_free_number_is_given_out_until_the_limit() {
        let mut table = Descriptors::new(4, 0, |_| NO_RIGHTS).unwrap();
        let entry = *table.entry(1).unwrap();
        assert_eq!(table.has_room(), Ok(()));
        assert_eq!(table.open(entry), Ok(3));
        assert_eq!(table.has_room(), Err(TableFull));
        assert_eq!(table.open(entry), Err(TableFull));
        assert_eq!(table.close(1), Ok(entry));
        assert_eq!(table.close(1), Err(NotOpen));
        assert_eq!(table.has_room(), Ok(()));
        assert_eq!(table.open(entry), Ok(1));
        assert_eq!(table.open(entry), Err(TableFull));
    }

    #[test]
    fn a_table_too_small_for_the_streams_is_refused() {
        assert_eq!(
            Descriptors::new(2, 0, |_| NO_RIGHTS).map(|_| ()),
            Err(TableFull)
        );
    }

    #[test]
    fn renumbering_moves_an_entry_onto_another_and_returns_that() {
        let mut table = Descriptors::new(3, 0, |_| NO_RIGHTS).unwrap();
        let (output, error) = (*table.entry(1).unwrap(), *table.entry(2).unwrap());
        assert_eq!(table.renumber(2, 1), Ok(Some(output)));
        assert_eq!(table.entry(1), Ok(&error));
        assert_eq!(table.entry(2), Err(NotOpen));
        assert_eq!(table.renumber(2, 1), Err(NotOpen));
        assert_eq!(table.renumber(1, 2), Err(NotOpen));
        assert_eq!(table.entry(1), Ok(&error));
        assert_eq!(table.renumber(1, 1), Ok(None));
        assert_eq!(table.entry(1), Ok(&error));
        assert_eq!(table.renumber(u32::MAX, 1), Err(NotOpen));
    }
}
