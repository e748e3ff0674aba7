//! Taking a commit over into memory: after a record was flushed, and again when recovery finds it. One path for both.

use super::Volume;
use crate::{
    error::{Error, Result},
    file::File,
    format::{
        inode::Inode,
        record::{Head, Operation},
        reference::Ref,
    },
};

impl Volume {
    /// Takes a durable record over into memory; recovery does exactly the same.
    pub(super) fn apply_all(&mut self, operations: &[Operation], head: &Head) -> Result<()> {
        operations
            .iter()
            .try_for_each(|operation| self.apply(operation))?;
        self.space.hold(&mut self.medium, self.log.head)?;
        for rest in &head.continuations {
            self.space.hold(&mut self.medium, rest.address())?;
        }
        self.log.head = head.next;
        Ok(())
    }

    pub(super) fn apply(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Inode {
                ino,
                inode: Some(inode),
            } => self.apply_inode(*ino, inode),
            Operation::Inode { ino, inode: None } => {
                self.apply_truncate(*ino, 0)?;
                let file = self.files.get_mut(ino).ok_or(Error::NotFound)?;
                (file.committed, file.gone, file.logged) = (None, true, true);
                Ok(())
            }
            Operation::Truncate { ino, first } => self.apply_truncate(*ino, *first),
            Operation::Update { ino, first, refs } => (*first..)
                .zip(refs)
                .try_for_each(|(block, to)| self.apply_update(*ino, block, *to)),
        }
    }

    fn apply_inode(&mut self, ino: u64, inode: &Inode) -> Result<()> {
        if !self.files.contains_key(&ino) {
            let loaded = self.load(ino)?;
            self.files.insert(
                ino,
                loaded.unwrap_or_else(|| File::fresh(ino, inode.clone())),
            );
        }
        self.next_ino = self.next_ino.max(ino.saturating_add(1));
        let file = self.files.get_mut(&ino).ok_or(Error::NotFound)?;
        file.committed = Some(inode.clone());
        file.logged = true;
        Ok(())
    }

    fn apply_truncate(&mut self, ino: u64, first: u64) -> Result<()> {
        if !self.files.contains_key(&ino) {
            self.file(ino)?;
        }
        let file = self.files.get_mut(&ino).ok_or(Error::NotFound)?;
        file.logged = true;
        let mut tree = file.tree;
        self.medium.cut(&mut tree, first, &mut self.space)?;
        file.tree = tree;
        self.blocks
            .remove_where(|&(owner, block)| owner == ino && block >= first);
        Ok(())
    }

    fn apply_update(&mut self, ino: u64, block: u64, to: Ref) -> Result<()> {
        let file = self.files.get_mut(&ino).ok_or(Error::NotFound)?;
        let mut tree = file.tree;
        let old = self.medium.set(&mut tree, block, to)?;
        file.tree = tree;
        if to.is_block() {
            self.medium.disk.epochs.add_live(to.sequence);
            self.space.commit(&mut self.medium, to.address())?;
        }
        self.space.discard(&mut self.medium, &old)?;
        self.blocks.remove(&(ino, block));
        Ok(())
    }
}
