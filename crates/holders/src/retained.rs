//! Retained sizes: what a group of blocks dominates, as heap profilers of managed languages define
//! it.
//!
//! Only blocks that are reachable from owned blocks can be dominated by them, so the graph consists
//! of these. The rest of the heap and the roots are the virtual root.

use crate::answer::{Answer, MAX_GROUPS};
use crate::array::Array;
use crate::budget::Exhausted;
use crate::dominators::{DominatorTree, Flow, dominators};
use crate::reach::Graph;

impl Graph<'_> {
    /// Marks all blocks that are reachable from owned blocks, including these.
    pub(crate) fn mark_subgraph(&self) -> Result<(), Exhausted> {
        // The list of reached blocks is still empty, so it serves as the queue.
        let (mut visited, mut found) = (0, 0);
        for block in 0..self.heap.count {
            if self.is_owned(block) {
                self.add_to_subgraph(block);
                self.reached.set(found, block as u32);
                found += 1;
            }
        }
        while visited < found {
            let block = self.reached.get(visited) as usize;
            visited += 1;
            if visited & 0xfff == 0 {
                self.in_time()?;
            }
            self.each_pointer(block, 0, |target, _, _| {
                // Only leakcheck's own blocks are classified already.
                if !self.is_in_subgraph(target) && self.reachability(target).is_none() {
                    self.add_to_subgraph(target);
                    self.reached.set(found, target as u32);
                    found += 1;
                }
                false
            });
        }
        Ok(())
    }

    /// Adds to each group the size of what its blocks dominate. Blocks that another block of the
    /// same group dominates are counted once.
    ///
    /// `groups` contains the index of each block's group plus one, or 0.
    pub(crate) fn add_retained(
        &self,
        groups: &Array<u32>,
        answer: &Answer,
    ) -> Result<(), Exhausted> {
        let tree = dominators(self)?;
        let retained = RetainedSizes::of(self, &tree)?;
        let walk = TreeWalk::of(&tree)?;
        let open = Array::<u32>::new(MAX_GROUPS + 1).ok_or(Exhausted::Memory)?;
        let group_of = |number: usize| groups.get(tree.node.get(number) as usize) as usize;
        let enter = |number: usize| {
            let group = group_of(number);
            if group != 0 && open.get(group) == 0 {
                let written = answer.group(group - 1);
                written.retained_bytes += retained.bytes.get(number);
                written.retained_blocks += u64::from(retained.blocks.get(number));
            }
            open.set(group, open.get(group) + 1);
        };
        let leave = |number: usize| {
            let group = group_of(number);
            open.set(group, open.get(group) - 1);
        };
        walk.each(&tree, enter, leave);
        Ok(())
    }
}

impl Flow for Graph<'_> {
    fn nodes(&self) -> usize {
        self.heap.count
    }

    fn is_entry(&self, block: usize) -> bool {
        self.is_entry_node(block)
    }

    fn successors(&self, block: usize, at: usize, mut each: impl FnMut(usize) -> bool) -> usize {
        let Some(reachability) = self.reachability(block) else { return at };
        self.each_pointer(block, at, |target, _, value| {
            self.is_in_subgraph(target)
                && self
                    .reachability(target)
                    .is_some_and(|to| self.keeps_alive(reachability, to, target, value))
                && each(target)
        })
    }

    fn in_time(&self) -> Result<(), Exhausted> {
        self.in_time()
    }
}

/// The retained size of each number in a dominator tree.
struct RetainedSizes {
    bytes: Array<u64>,
    blocks: Array<u32>,
}

impl RetainedSizes {
    fn of(graph: &Graph<'_>, tree: &DominatorTree) -> Result<Self, Exhausted> {
        let retained = Self {
            bytes: Array::new(tree.end).ok_or(Exhausted::Memory)?,
            blocks: Array::new(tree.end).ok_or(Exhausted::Memory)?,
        };
        // Dominators have lower numbers, so the sum of a number is complete when it is added to its
        // dominator.
        for number in (1..tree.end).rev() {
            let own = graph.heap.bytes(tree.node.get(number) as usize);
            retained.bytes.set(number, retained.bytes.get(number) + own);
            retained.blocks.set(number, retained.blocks.get(number).saturating_add(1));
            let idom = tree.idom.get(number) as usize;
            retained.bytes.set(idom, retained.bytes.get(idom) + retained.bytes.get(number));
            let blocks = retained.blocks.get(idom).saturating_add(retained.blocks.get(number));
            retained.blocks.set(idom, blocks);
        }
        Ok(retained)
    }
}

/// The children of each number in a dominator tree, as linked lists.
struct TreeWalk {
    first_child: Array<u32>,
    next_sibling: Array<u32>,
}

impl TreeWalk {
    fn of(tree: &DominatorTree) -> Result<Self, Exhausted> {
        let walk = Self {
            first_child: Array::new(tree.end).ok_or(Exhausted::Memory)?,
            next_sibling: Array::new(tree.end).ok_or(Exhausted::Memory)?,
        };
        for number in (1..tree.end).rev() {
            let idom = tree.idom.get(number) as usize;
            walk.next_sibling.set(number, walk.first_child.get(idom));
            walk.first_child.set(idom, number as u32);
        }
        Ok(walk)
    }

    /// Traverses the tree depth first, without the virtual root.
    fn each(&self, tree: &DominatorTree, enter: impl Fn(usize), leave: impl Fn(usize)) {
        let mut here = self.first_child.get(0) as usize;
        while here != 0 {
            enter(here);
            let mut next = self.first_child.get(here) as usize;
            while next == 0 && here != 0 {
                leave(here);
                next = self.next_sibling.get(here) as usize;
                here = tree.idom.get(here) as usize;
            }
            here = next;
        }
    }
}
