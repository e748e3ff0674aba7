//! What a commit will change, worked out before anything is written.

use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};

use super::Volume;
use crate::{
    codec::{is_zero, to_usize},
    error::Result,
    file::{File, Frame},
    format::{
        inode::{FileKind, Inode},
        record::Operation,
        reference::Ref,
    },
    limits::{FAN_OUT, INLINE_LEN_MAX, UPDATE_COUNT_MAX},
};

/// What a commit changes. Blocks still in memory stand as holes until they are sealed.
pub(super) struct Plan {
    pub(super) operations: Vec<Operation>,
    pub(super) fresh: Vec<Fresh>,
}

/// A block to be sealed: which operation and entry its reference belongs into.
pub(super) struct Fresh {
    pub(super) ino: u64,
    pub(super) block: u64,
    operation: usize,
    entry: usize,
}

impl Volume {
    pub(super) fn plan(&mut self, inos: &BTreeSet<u64>) -> Result<Plan> {
        let mut plan = Plan {
            operations: Vec::new(),
            fresh: Vec::new(),
        };
        for &ino in inos {
            match self.files.get(&ino) {
                Some(file) if file.gone => {
                    plan.operations.push(Operation::Inode { ino, inode: None })
                }
                Some(_) => self.plan_file(ino, &mut plan)?,
                None => {}
            }
        }
        Ok(plan)
    }

    fn plan_file(&mut self, ino: u64, plan: &mut Plan) -> Result<()> {
        let inline = self.inline_contents(ino)?;
        let Some(file) = self.files.get(&ino) else {
            return Ok(());
        };
        let first = if inline.is_some() || file.current.size == 0 {
            0
        } else {
            file.floor
        };
        let inode = Inode {
            inline,
            ..file.current.clone()
        };
        let stays = inode.inline.is_none() && inode.size > 0;
        plan.operations.push(Operation::Inode {
            ino,
            inode: Some(Box::new(inode)),
        });
        if first != u64::MAX && !file.tree.top.root.is_hole() {
            plan.operations.push(Operation::Truncate { ino, first });
        }
        if stays {
            plan_updates(ino, file, plan);
        }
        Ok(())
    }

    /// Loads and pins the nodes that a record will touch: once it is written, applying it must not fail.
    pub(super) fn prepare_nodes(&mut self, plan: &Plan) -> Result<()> {
        for operation in &plan.operations {
            let Operation::Update { ino, first, refs } = operation else {
                continue;
            };
            let Some(file) = self.files.get_mut(ino) else {
                continue;
            };
            let (mut block, end) = (*first, first + refs.len() as u64);
            while block < end {
                self.medium.prepare(&mut file.tree, block)?;
                block = block - block % FAN_OUT as u64 + FAN_OUT as u64;
            }
        }
        Ok(())
    }

    /// The contents of a file that fits into its inode.
    fn inline_contents(&mut self, ino: u64) -> Result<Option<Vec<u8>>> {
        let file = self.file(ino)?;
        let size = file.current.size;
        if size == 0 || size > INLINE_LEN_MAX as u64 || file.current.kind == FileKind::Directory {
            return Ok(None);
        }
        let block = self.block(ino, 0)?;
        Ok(block.get(..to_usize(size)).map(<[u8]>::to_vec))
    }
}

/// One UPDATE for each run of consecutive blocks.
fn plan_updates(ino: u64, file: &File, plan: &mut Plan) {
    let mut end = None;
    for (&block, frame) in &file.frames {
        let full = matches!(plan.operations.last(), Some(Operation::Update { refs, .. }) if refs.len() == UPDATE_COUNT_MAX);
        if end != Some(block) || full {
            plan.operations.push(Operation::Update {
                ino,
                first: block,
                refs: Vec::new(),
            });
        }
        end = Some(block + 1);
        let operation = plan.operations.len() - 1;
        let Some(Operation::Update { refs, .. }) = plan.operations.last_mut() else {
            continue;
        };
        let entry = refs.len();
        refs.push(match frame {
            Frame::Spilled(at) => *at,
            Frame::Memory(contents) => {
                if !is_zero(&**contents) {
                    plan.fresh.push(Fresh {
                        ino,
                        block,
                        operation,
                        entry,
                    });
                }
                Ref::HOLE
            }
        });
    }
}

pub(super) fn fill_in(operations: &mut [Operation], fresh: &Fresh, sealed: Ref) {
    if let Some(Operation::Update { refs, .. }) = operations.get_mut(fresh.operation)
        && let Some(entry) = refs.get_mut(fresh.entry)
    {
        *entry = sealed;
    }
}
