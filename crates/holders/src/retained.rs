//! What would go with the blocks of a group: what they dominate, as heap profilers of managed
//! languages reckon it.
//!
//! Only what the region's blocks lead to can hang on them, so only that is a graph here; all the
//! rest of the heap is outside, together with the roots.

use crate::answer::{Answer, MOST_GROUPS};
use crate::dominators::{Dominators, Flow, dominators};
use crate::pool::Array;
use crate::reach::{Graph, Trouble};

impl Graph<'_> {
    /// Finds all that the region's blocks lead to, themselves included.
    pub(crate) fn mark_below(&self) -> Result<(), Trouble> {
        // The queue is the list of what is found, which is empty yet.
        let (mut looked, mut found) = (0, 0);
        for block in 0..self.heap.count {
            if self.is_mine(block) {
                self.set_below(block);
                self.order.set(found, block as u32);
                found += 1;
            }
        }
        while looked < found {
            let block = self.order.get(looked) as usize;
            looked += 1;
            if looked & 0xfff == 0 {
                self.in_time()?;
            }
            self.each_pointer(block, 0, |target, _, _| {
                // What has a class at this time is leakcheck's own.
                if !self.is_below(target) && self.reachability(target).is_none() {
                    self.set_below(target);
                    self.order.set(found, target as u32);
                    found += 1;
                }
                false
            });
        }
        Ok(())
    }

    /// Adds to each group what its blocks dominate. A block that another one of its group dominates
    /// is counted with that one.
    ///
    /// `groups` has one more than the group of each block, 0 where it has none.
    pub(crate) fn add_retained(&self, groups: &Array<u32>, answer: &Answer) -> Result<(), Trouble> {
        let tree = dominators(self)?;
        let with = With::of(self, &tree)?;
        let walk = Walk::of(&tree)?;
        let open = Array::<u32>::new(MOST_GROUPS + 1).ok_or(Trouble::Memory)?;
        let group_of = |number: usize| groups.get(tree.node.get(number) as usize) as usize;
        let enter = |number: usize| {
            let group = group_of(number);
            if group != 0 && open.get(group) == 0 {
                let told = answer.group(group - 1);
                told.retained_bytes += with.bytes.get(number);
                told.retained_blocks += u64::from(with.blocks.get(number));
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
        self.is_entered(block)
    }

    fn successors(&self, block: usize, at: usize, mut each: impl FnMut(usize) -> bool) -> usize {
        let Some(reachability) = self.reachability(block) else { return at };
        self.each_pointer(block, at, |target, _, value| {
            self.is_below(target)
                && self
                    .reachability(target)
                    .is_some_and(|to| self.leads(reachability, to, target, value))
                && each(target)
        })
    }

    fn in_time(&self) -> Result<(), Trouble> {
        self.in_time()
    }
}

/// What hangs on each number of a dominator tree, itself included.
struct With {
    bytes: Array<u64>,
    blocks: Array<u32>,
}

impl With {
    fn of(graph: &Graph<'_>, tree: &Dominators) -> Result<Self, Trouble> {
        let with = Self {
            bytes: Array::new(tree.end).ok_or(Trouble::Memory)?,
            blocks: Array::new(tree.end).ok_or(Trouble::Memory)?,
        };
        // Dominators have lower numbers.
        for number in (1..tree.end).rev() {
            let own = graph.heap.bytes(tree.node.get(number) as usize);
            with.bytes.set(number, with.bytes.get(number) + own);
            with.blocks.set(number, with.blocks.get(number).saturating_add(1));
            let above = tree.above.get(number) as usize;
            with.bytes.set(above, with.bytes.get(above) + with.bytes.get(number));
            let blocks = with.blocks.get(above).saturating_add(with.blocks.get(number));
            with.blocks.set(above, blocks);
        }
        Ok(with)
    }
}

/// Ways through a dominator tree: of each number the first one below it, and the next one beside it.
struct Walk {
    below: Array<u32>,
    beside: Array<u32>,
}

impl Walk {
    fn of(tree: &Dominators) -> Result<Self, Trouble> {
        let walk = Self {
            below: Array::new(tree.end).ok_or(Trouble::Memory)?,
            beside: Array::new(tree.end).ok_or(Trouble::Memory)?,
        };
        for number in (1..tree.end).rev() {
            let above = tree.above.get(number) as usize;
            walk.beside.set(number, walk.below.get(above));
            walk.below.set(above, number as u32);
        }
        Ok(walk)
    }

    /// Goes through all numbers but 0, those above others around them.
    fn each(&self, tree: &Dominators, enter: impl Fn(usize), leave: impl Fn(usize)) {
        let mut here = self.below.get(0) as usize;
        while here != 0 {
            enter(here);
            let mut next = self.below.get(here) as usize;
            while next == 0 && here != 0 {
                leave(here);
                next = self.beside.get(here) as usize;
                here = tree.above.get(here) as usize;
            }
            here = next;
        }
    }
}
