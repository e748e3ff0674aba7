//! Radix trees of references (`docs/format.md`, section 2), with one cache of nodes for all of them.
//!
//! ```text
//! Tree { height 2, root } ──► node level 1 ──► node level 0 ──► block
//! ```
//!
//! A tree in memory mirrors the last *commit*; nodes are only written at a checkpoint. Until then a changed node is *dirty*:
//! it and all nodes above it are pinned in the cache, and the references on the way down to it are stale. That is why a
//! lookup starts at the lowest cached node of the path, never at the root.

use alloc::{collections::BTreeSet, vec::Vec};

use crate::{
    cache::Cache,
    codec::{BlockBox, remainder},
    disk::Disk,
    error::{Error, Result},
    format::{
        inode::Root,
        node::Node,
        reference::{Kind, Place, Ref},
    },
    limits::{FAN_OUT, TREE_HEIGHT_MAX},
    space::Space,
};

/// Bits of a block number that choose an entry of a node.
const BITS: u32 = FAN_OUT.trailing_zeros();

/// A tree: to whom it belongs, what its leaves refer to, where it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    pub(crate) owner: u64,
    pub(crate) leaf: Kind,
    pub(crate) top: Root,
}

/// Owner, level and index of a node. Ordered so that a walk over one owner's nodes goes from the leaves up.
type NodeKey = (u64, u8, u64);

/// The disk and the nodes of all trees.
pub(crate) struct Medium {
    pub(crate) disk: Disk,
    nodes: Cache<NodeKey, Node>,
    dirty: BTreeSet<NodeKey>,
}

impl Tree {
    pub(crate) fn empty(owner: u64, leaf: Kind) -> Self {
        Self {
            owner,
            leaf,
            top: Root::default(),
        }
    }

    /// Blocks a tree of this height can hold.
    const fn capacity(height: u8) -> u64 {
        1 << (BITS * height as u32)
    }

    const fn holds(&self, index: u64) -> bool {
        index < Self::capacity(self.top.height)
    }

    /// Where block `index` belongs.
    pub(crate) const fn place(&self, index: u64) -> Place {
        Place::new(self.owner, self.leaf, index)
    }

    const fn key(&self, level: u8, index: u64) -> NodeKey {
        (self.owner, level, index >> (BITS * (level as u32 + 1)))
    }

    /// What the entries of a node in `level` refer to.
    const fn entries_of(&self, level: u8) -> Kind {
        if level == 0 { self.leaf } else { Kind::Node }
    }
}

/// The child of a node in `level` on the way to block `index`.
const fn child(level: u8, index: u64) -> u64 {
    index >> (BITS * level as u32)
}

const fn node_place((owner, level, index): NodeKey) -> Place {
    Place {
        owner,
        index,
        kind: Kind::Node,
        level,
    }
}

impl Medium {
    pub(crate) fn new(disk: Disk, nodes: usize) -> Self {
        Self {
            disk,
            nodes: Cache::new(nodes),
            dirty: BTreeSet::new(),
        }
    }

    /// Dirty nodes: what a checkpoint will have to write.
    pub(crate) fn dirty_nodes(&self) -> u64 {
        self.dirty.len() as u64
    }

    /// The reference to block `index`.
    pub(crate) fn find(&mut self, tree: &Tree, index: u64) -> Result<Ref> {
        if !tree.holds(index) {
            return Ok(Ref::HOLE);
        }
        let (mut level, mut found) = (tree.top.height, tree.top.root);
        for lowest in 0..tree.top.height {
            if let Some(node) = self.nodes.get(&tree.key(lowest, index)) {
                (level, found) = (lowest, node.entry(child(lowest, index)));
                break;
            }
        }
        while level > 0 && !found.is_hole() {
            level -= 1;
            let node = self.load(tree, tree.key(level, index), &found)?;
            found = node.entry(child(level, index));
        }
        Ok(found)
    }

    /// References to block `index` and those after it in the same leaf; empty if all of them are holes.
    pub(crate) fn find_run<'a>(&'a mut self, tree: &'a Tree, index: u64) -> Result<&'a [Ref]> {
        if !tree.holds(index) {
            return Ok(&[]);
        }
        if tree.top.height == 0 {
            return Ok(core::slice::from_ref(&tree.top.root));
        }
        let key = tree.key(0, index);
        // Asked twice, because a loan of the cached leaf cannot be given back on the way to loading it.
        if !self.nodes.contains(&key)
            && self.find(tree, index)?.is_hole()
            && !self.nodes.contains(&key)
        {
            return Ok(&[]);
        }
        let Some(leaf) = self.nodes.get(&key) else {
            unreachable!("a search loads the leaf it ends in")
        };
        let entries = leaf.entries().get(remainder(index, FAN_OUT)..);
        Ok(entries.unwrap_or_default())
    }

    /// Tells the store that block `index` is about to be read, if its address is known sooner than its reference.
    pub(crate) fn prefetch(&mut self, tree: &Tree, index: u64) {
        let leaf = self.nodes.get(&tree.key(0, index));
        if let Some(address) = leaf.and_then(|leaf| leaf.address_ahead(index)) {
            self.disk.store().prefetch(address);
        }
    }

    /// Reads block `index`; a hole is zeros.
    pub(crate) fn read(&mut self, tree: &Tree, index: u64) -> Result<BlockBox> {
        let found = self.find(tree, index)?;
        self.disk.read(&found, &tree.place(index))
    }

    /// Loads the path to block `index` and pins it, so that [`set`](Self::set) cannot fail afterwards.
    pub(crate) fn prepare(&mut self, tree: &mut Tree, index: u64) -> Result<()> {
        if index >= Tree::capacity(TREE_HEIGHT_MAX) {
            return Err(Error::FileTooLarge);
        }
        while !tree.holds(index) {
            self.grow(tree);
        }
        let mut down = tree.top.root;
        if tree.top.height > 0 && down.is_hole() {
            tree.top.root = Ref::UNWRITTEN;
        }
        for level in (0..tree.top.height).rev() {
            let key = tree.key(level, index);
            if down.is_hole() {
                self.nodes.insert(key, Node::empty());
            } else if self.nodes.get(&key).is_none() {
                self.load(tree, key, &down)?;
            }
            self.mark_dirty(key);
            let Some(node) = self.nodes.get(&key) else {
                unreachable!("pinned just now")
            };
            down = node.entry(child(level, index));
            if level > 0 && down.is_hole() {
                node.set_entry(child(level, index), Ref::UNWRITTEN);
            }
        }
        Ok(())
    }

    /// Sets the reference to block `index` and returns the old one.
    pub(crate) fn set(&mut self, tree: &mut Tree, index: u64, to: Ref) -> Result<Ref> {
        self.prepare(tree, index)?;
        let old = if tree.top.height == 0 {
            core::mem::replace(&mut tree.top.root, to)
        } else {
            let Some(node) = self.nodes.get(&tree.key(0, index)) else {
                unreachable!("pinned by `prepare`")
            };
            let old = node.entry(index);
            node.set_entry(index, to);
            old
        };
        let blocks = tree.top.blocks + u64::from(!to.is_hole());
        tree.top.blocks = blocks.saturating_sub(u64::from(!old.is_hole()));
        Ok(old)
    }

    /// Makes every block from `first` on a hole and gives its space back.
    pub(crate) fn cut(&mut self, tree: &mut Tree, first: u64, space: &mut Space) -> Result<()> {
        if first == 0 {
            self.drop_subtree(tree, tree.top.height, 0, tree.top.root, space)?;
            tree.top = Root::default();
            return Ok(());
        }
        let mut down = tree.top.root;
        for level in (0..tree.top.height).rev() {
            if !tree.holds(first) || down.is_hole() {
                break;
            }
            let key = tree.key(level, first);
            if self.nodes.get(&key).is_none() {
                self.load(tree, key, &down)?;
            }
            self.mark_dirty(key);
            // The child that `first` lies in goes too if `first` is its very first block.
            let kept = child(level, first - 1);
            let end = (key.2 + 1) * FAN_OUT as u64;
            for gone in kept + 1..end {
                let Some(node) = self.nodes.get(&key) else {
                    unreachable!("pinned just now")
                };
                let entry = node.entry(gone);
                node.set_entry(gone, Ref::HOLE);
                let dropped = self.drop_subtree(tree, level, gone, entry, space)?;
                tree.top.blocks = tree.top.blocks.saturating_sub(dropped);
            }
            if child(level, first) != kept {
                break;
            }
            down = self
                .nodes
                .get(&key)
                .map_or(Ref::HOLE, |node| node.entry(kept));
        }
        Ok(())
    }

    /// Writes all dirty nodes of a tree, leaves first, and gives the space of the old ones back.
    pub(crate) fn write_nodes(&mut self, tree: &mut Tree, space: &mut Space) -> Result<()> {
        for level in 0..tree.top.height {
            self.write_level(tree, level, space)?;
        }
        if tree.top.root.is_hole() {
            tree.top.height = 0;
        }
        Ok(())
    }

    /// Writes the dirty nodes of one level, so that they can be dropped from memory. The nodes above stay dirty.
    pub(crate) fn write_level(
        &mut self,
        tree: &mut Tree,
        level: u8,
        space: &mut Space,
    ) -> Result<()> {
        for key in self.dirty_in(tree, level) {
            let address = if self.is_empty(&key) {
                None
            } else {
                Some(space.allocate_one(self)?)
            };
            let old = self.write_node(tree, key, address)?;
            space.discard(self, &old)?;
        }
        Ok(())
    }

    /// Dirty nodes of one level, in order.
    pub(crate) fn dirty_in(&self, tree: &Tree, level: u8) -> Vec<NodeKey> {
        self.dirty
            .range((tree.owner, level, 0)..=(tree.owner, level, u64::MAX))
            .copied()
            .collect()
    }

    /// The reference under which a node was last written.
    pub(crate) fn node_ref(&mut self, tree: &Tree, (owner, level, index): NodeKey) -> Ref {
        if level + 1 == tree.top.height {
            return tree.top.root;
        }
        let parent = (owner, level + 1, index / FAN_OUT as u64);
        self.nodes
            .get(&parent)
            .map_or(Ref::HOLE, |node| node.entry(index))
    }

    fn is_empty(&mut self, key: &NodeKey) -> bool {
        self.nodes.get(key).is_none_or(|node| node.is_empty())
    }

    /// Writes a dirty node to `address`, or drops it if there is none, and returns its old reference.
    pub(crate) fn write_node(
        &mut self,
        tree: &mut Tree,
        key: NodeKey,
        address: Option<u64>,
    ) -> Result<Ref> {
        let old = self.node_ref(tree, key);
        let new = match (address, self.nodes.get(&key)) {
            (Some(address), Some(node)) => {
                node.note_run();
                let block = node.encode();
                let sealed = self.disk.seal(address, &node_place(key), &block)?;
                self.disk.epochs.add_live(sealed.sequence);
                sealed
            }
            _ => Ref::HOLE,
        };
        let (owner, level, index) = key;
        if level + 1 == tree.top.height {
            tree.top.root = new;
        } else {
            let parent = (owner, level + 1, index / FAN_OUT as u64);
            let Some(node) = self.nodes.get(&parent) else {
                unreachable!("above a dirty node all are pinned")
            };
            node.set_entry(index, new);
        }
        self.dirty.remove(&key);
        if new.is_hole() {
            self.nodes.remove(&key);
        } else {
            self.nodes.unpin(&key);
        }
        Ok(old)
    }

    fn grow(&mut self, tree: &mut Tree) {
        let top = &mut tree.top;
        if !top.root.is_hole() {
            let mut node = Node::empty();
            node.set_entry(0, top.root);
            let key = (tree.owner, top.height, 0);
            self.nodes.insert(key, node);
            self.mark_dirty(key);
            top.root = Ref::UNWRITTEN;
        }
        top.height += 1;
    }

    fn mark_dirty(&mut self, key: NodeKey) {
        if self.dirty.insert(key) {
            self.nodes.pin(&key);
        }
    }

    fn load(&mut self, tree: &Tree, key: NodeKey, at: &Ref) -> Result<&mut Node> {
        let node = self.decode(tree, key, at)?;
        self.nodes.insert(key, node);
        self.nodes.get(&key).ok_or(Error::NotFound)
    }

    fn decode(&mut self, tree: &Tree, key: NodeKey, at: &Ref) -> Result<Node> {
        assert!(
            !at.is_unwritten(),
            "a node that was never written is in the cache"
        );
        let block = self.disk.read(at, &node_place(key))?;
        Node::decode(&block, tree.entries_of(key.1))
    }

    /// Collects all references of a tree: nodes without, blocks with their number. Unwritten nodes have none.
    pub(crate) fn walk(&mut self, tree: &Tree, out: &mut Vec<(Ref, Option<u64>)>) -> Result<()> {
        self.walk_below(tree, tree.top.height, 0, tree.top.root, out)
    }

    fn walk_below(
        &mut self,
        tree: &Tree,
        height: u8,
        index: u64,
        at: Ref,
        out: &mut Vec<(Ref, Option<u64>)>,
    ) -> Result<()> {
        if at.is_block() {
            out.push((at, (height == 0).then_some(index)));
        }
        let Some(level) = height.checked_sub(1).filter(|_| !at.is_hole()) else {
            return Ok(());
        };
        let key = (tree.owner, level, index);
        let node = match self.nodes.get(&key) {
            Some(node) => node.clone(),
            None => self.decode(tree, key, &at)?,
        };
        let children = (index * FAN_OUT as u64..).zip(node.entries());
        children
            .into_iter()
            .try_for_each(|(child, entry)| self.walk_below(tree, level, child, *entry, out))
    }

    /// Gives everything below `at` back and counts the data blocks in it. `height` is the number of node levels below,
    /// `index` the place in its level.
    fn drop_subtree(
        &mut self,
        tree: &Tree,
        height: u8,
        index: u64,
        at: Ref,
        space: &mut Space,
    ) -> Result<u64> {
        if at.is_hole() {
            return Ok(0);
        }
        let mut blocks = 1;
        if let Some(level) = height.checked_sub(1) {
            let key = (tree.owner, level, index);
            self.dirty.remove(&key);
            let node = match self.nodes.remove(&key) {
                Some(node) => node,
                None => self.decode(tree, key, &at)?,
            };
            blocks = 0;
            for (child, entry) in (index * FAN_OUT as u64..).zip(node.entries()) {
                blocks += self.drop_subtree(tree, level, child, *entry, space)?;
            }
        }
        space.discard(self, &at)?;
        Ok(blocks)
    }
}
