//! Tree nodes: a block of references (`docs/format.md`, section 2), and where their blocks lie.

use alloc::boxed::Box;

use super::reference::{Kind, Ref};
use crate::{
    codec::{Block, BlockBox, Reader, Writer, remainder},
    error::Result,
    limits::FAN_OUT,
};

/// A decoded tree node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    entries: Box<[Ref; FAN_OUT]>,
    run: Run,
}

/// Which children lie one after the other in the volume, if most do. Of those the address is known without a look at their
/// references, which in a large file are rarely in the processor's cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    /// Where child 0 would be.
    start: u64,
    /// A bit for each child that is where the run has it.
    members: [u64; FAN_OUT / 64],
}

impl Run {
    /// The run that more than half of the children are in, if there is one.
    fn of(entries: &[Ref; FAN_OUT]) -> Self {
        let starts = (0..)
            .zip(entries)
            .map(|(at, entry)| entry.address().wrapping_sub(at));
        // A majority, if there is one, is what remains if unequal ones are struck out in pairs (Boyer and Moore, 1981).
        let (start, _) = starts.fold((0, 0), |(start, lead), next| match lead {
            0 => (next, 1),
            _ if next == start => (start, lead + 1),
            _ => (start, lead - 1),
        });
        let mut run = Self {
            start,
            members: Default::default(),
        };
        (0..)
            .zip(entries)
            .for_each(|(at, entry)| run.place(at, entry));
        run
    }

    /// Child `at` is now at `entry`.
    fn place(&mut self, at: usize, entry: &Ref) {
        if let Some(members) = self.members.get_mut(at / 64) {
            let bit = 1 << (at % 64);
            let member = entry.is_block() && entry.address() == self.start.wrapping_add(at as u64);
            *members = if member {
                *members | bit
            } else {
                *members & !bit
            };
        }
    }

    /// Where child `at` is, if it is in the run.
    fn address(&self, at: usize) -> Option<u64> {
        let members = self.members.get(at / 64)?;
        (members >> (at % 64) & 1 == 1).then(|| self.start.wrapping_add(at as u64))
    }
}

impl Node {
    pub(crate) fn empty() -> Self {
        Self {
            entries: Box::new([Ref::HOLE; FAN_OUT]),
            run: Run::default(),
        }
    }

    /// Decodes a node whose entries have `kind`.
    pub(crate) fn decode(block: &Block, kind: Kind) -> Result<Self> {
        let mut reader = Reader::new(block);
        let mut node = Self::empty();
        for entry in node.entries.iter_mut() {
            *entry = Ref::read(&mut reader, kind)?;
        }
        node.note_run();
        Ok(node)
    }

    /// Finds out anew which children lie one after the other. For when many have moved; each move by itself is followed.
    pub(crate) fn note_run(&mut self) {
        self.run = Run::of(&self.entries);
    }

    pub(crate) fn encode(&self) -> BlockBox {
        let mut out = Writer::new();
        self.entries.iter().for_each(|entry| entry.write(&mut out));
        out.into_block()
    }

    /// The entry on the way to child number `child` of the level below.
    pub(crate) fn entry(&self, child: u64) -> Ref {
        self.entries
            .get(remainder(child, FAN_OUT))
            .copied()
            .unwrap_or_default()
    }

    /// The address in [`entry`](Self::entry), if it is known sooner than that.
    pub(crate) fn address_ahead(&self, child: u64) -> Option<u64> {
        self.run.address(remainder(child, FAN_OUT))
    }

    pub(crate) fn set_entry(&mut self, child: u64, to: Ref) {
        let at = remainder(child, FAN_OUT);
        if let Some(entry) = self.entries.get_mut(at) {
            *entry = to;
            self.run.place(at, &to);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.iter().all(Ref::is_hole)
    }

    pub(crate) fn entries(&self) -> &[Ref; FAN_OUT] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_comes_back_as_it_was_written() {
        let mut node = Node::empty();
        node.set_entry(128 + 3, Ref::new([7; 16], 9, 4711, Kind::Data));
        let block = node.encode();
        let back = Node::decode(&block, Kind::Data).unwrap();
        assert_eq!(back.entries(), node.entries());
        assert!(
            Node::decode(&block, Kind::Node).is_err(),
            "a data block must not pass for a node"
        );
    }

    /// Addresses told ahead are right whatever moves; and told for whole runs, even if some children lie elsewhere.
    #[test]
    fn addresses_ahead_are_those_of_the_entries() {
        let at = |address| Ref::new([1; 16], 2, address, Kind::Data);
        let right = |node: &Node| {
            (0..FAN_OUT as u64)
                .filter_map(|child| Some((child, node.address_ahead(child)?)))
                .inspect(|(child, ahead)| assert_eq!(*ahead, node.entry(*child).address()))
                .count()
        };
        let mut node = Node::empty();
        assert_eq!(right(&node), 0);
        (0..128).for_each(|child| node.set_entry(child, at(5000 + child)));
        assert_eq!(
            right(&Node::decode(&node.encode(), Kind::Data).unwrap()),
            128
        );
        // Children move away one by one, to a new run.
        for child in 0..128 {
            node.set_entry(child, at(9000 + child));
            if child % 16 == 15 {
                let mut anew = node.clone();
                anew.note_run();
                assert_eq!(right(&anew) as u64, (child + 1).max(127 - child));
            }
            right(&node);
        }
        node.note_run();
        node.set_entry(7, Ref::HOLE);
        node.set_entry(8, Ref::UNWRITTEN);
        node.set_entry(9, at(4711));
        assert_eq!(right(&node), 125);
        node.set_entry(9, at(9009));
        assert_eq!(right(&node), 126);
    }
}
