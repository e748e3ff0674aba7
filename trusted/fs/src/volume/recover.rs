//! Replaying the log when a volume is opened (`docs/format.md`, section 7). Nothing is written.

use alloc::vec::Vec;

use super::{
    Volume,
    commit::{continuation_place, head_place},
};
use crate::{
    codec::{BlockBox, Reader},
    crypto::{Tag, keys::commit_root},
    error::{Error, Result},
    format::{
        ino,
        inode::Inode,
        record::{HEAD_PLAIN_LEN, Head, Operation, decode_operations},
        reference::{Kind, Place, Ref},
        superblock::State,
    },
    freshness::{Judge, Mark},
    limits::FIXED_BLOCKS,
};

/// A record that was found, but not yet known to be followed by another.
struct Found {
    head: Head,
    head_operations: Vec<u8>,
    sequence: u64,
    tag: Tag,
}

impl Volume {
    /// Walks the log, applies it in memory, and compares the history with the anchor.
    pub(super) fn recover(&mut self, state: &State, tag: &Tag, size: u64) -> Result<()> {
        let mut judge = Judge::new(self.freshness.expected()?);
        judge.see(Mark {
            commit: state.commit - 1,
            root: state.previous_root,
        })?;
        self.newest = Mark {
            commit: state.commit,
            root: commit_root(&state.previous_root, state.commit, tag),
        };
        judge.see(self.newest)?;
        let (mut waiting, mut address, mut newest) = (None, state.log_head, self.newest);
        while let Some(found) = self.record_at(address, size, &newest, state.next_sequence)? {
            if let Some(earlier) = waiting.take() {
                self.replay(&earlier, size)?;
                judge.see(self.newest)?;
            }
            address = found.head.next;
            newest = Mark {
                commit: found.head.commit,
                root: commit_root(&newest.root, found.head.commit, &found.tag),
            };
            waiting = Some(found);
        }
        if let Some(last) = waiting
            && self.is_complete(&last, size)?
        {
            self.replay(&last, size)?;
        }
        judge.see(self.newest)?;
        judge.verdict(&self.freshness)?;
        for file in self.files.values_mut() {
            if let Some(inode) = &file.committed {
                file.current = Inode {
                    inline: None,
                    ..inode.clone()
                };
            }
        }
        Ok(())
    }

    /// The record at `address`, if it continues the history.
    fn record_at(
        &self,
        address: u64,
        size: u64,
        before: &Mark,
        least: u64,
    ) -> Result<Option<Found>> {
        if !(FIXED_BLOCKS..size).contains(&address) {
            return Ok(None);
        }
        let mut block = BlockBox::zeroed();
        self.medium.disk.read_raw(address, block.as_mut_slice())?;
        let mut from = Reader::new(block.as_slice());
        let (Some(tag), Some(sequence)) = (from.array(), from.u64()) else {
            return Ok(None);
        };
        let commit = before.commit + 1;
        let at = Ref::new(tag, sequence, address, Kind::RecordHead);
        let (_, sealed) = block.split_at_mut(HEAD_PLAIN_LEN);
        if sequence < least
            || self
                .medium
                .disk
                .try_open(&at, &head_place(commit), sealed)
                .is_err()
        {
            return Ok(None);
        }
        let (head, head_operations) = Head::decode(sealed)?;
        if head.commit != commit || head.previous_root != before.root {
            return Ok(None);
        }
        Ok(Some(Found {
            head,
            head_operations,
            sequence,
            tag,
        }))
    }

    /// Whether the newest record and everything it refers to arrived. If not, it was never acknowledged.
    fn is_complete(&self, last: &Found, size: u64) -> Result<bool> {
        let operations = match self.operations(last, size) {
            Ok(operations) => operations,
            Err(Error::Tampered { .. } | Error::Truncated { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        for operation in &operations {
            let Operation::Update { ino, first, refs } = operation else {
                continue;
            };
            for (block, at) in (*first..).zip(refs).filter(|(_, at)| at.is_block()) {
                match self.verified(at, &Place::new(*ino, Kind::Data, block), size) {
                    Ok(_) => {}
                    Err(Error::Tampered { .. } | Error::Truncated { .. }) => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(true)
    }

    /// All operations of a record.
    fn operations(&self, found: &Found, size: u64) -> Result<Vec<Operation>> {
        let mut bytes = found.head_operations.clone();
        for (position, at) in (0..).zip(&found.head.continuations) {
            bytes.extend_from_slice(&*self.verified(
                at,
                &continuation_place(found.head.commit, position),
                size,
            )?);
        }
        bytes.truncate(found.head.operations_len);
        decode_operations(&bytes)
    }

    /// Reads a block without poisoning the mount if it does not verify.
    fn verified(&self, at: &Ref, place: &Place, size: u64) -> Result<BlockBox> {
        if at.address() >= size {
            return Err(Error::Truncated {
                found: size,
                needed: at.address() + 1,
            });
        }
        let mut block = BlockBox::zeroed();
        self.medium
            .disk
            .read_raw(at.address(), block.as_mut_slice())?;
        self.medium.disk.try_open(at, place, block.as_mut_slice())?;
        Ok(block)
    }

    /// Applies a record that is known to be complete.
    fn replay(&mut self, found: &Found, size: u64) -> Result<()> {
        let operations = self.operations(found, size)?;
        for operation in &operations {
            if let Operation::Update { refs, .. } = operation {
                for at in refs.iter().filter(|at| at.is_block()) {
                    self.claim_within(at.address(), size)?;
                }
            }
        }
        for at in &found.head.continuations {
            self.claim_within(at.address(), size)?;
        }
        if found.head.next < size {
            self.claim_within(found.head.next, size)?;
        }
        self.apply_all(&operations, &found.head)?;
        self.log.records += 1;
        self.medium.disk.sequence.skip_past(found.sequence);
        let root = commit_root(&self.newest.root, found.head.commit, &found.tag);
        self.newest = Mark {
            commit: found.head.commit,
            root,
        };
        Ok(())
    }

    fn claim_within(&mut self, address: u64, size: u64) -> Result<()> {
        if !(FIXED_BLOCKS..size).contains(&address) {
            return Err(Error::Truncated {
                found: size,
                needed: address + 1,
            });
        }
        self.space.claim(&mut self.medium, address)
    }

    /// Removes what a crash left without a name. In memory: it becomes durable with the next commit.
    pub(super) fn free_orphans(&mut self) -> Result<()> {
        for orphan in self.read_directory(ino::ORPHANS, 0, usize::MAX)? {
            self.free_orphan(orphan.ino)?;
        }
        Ok(())
    }
}
