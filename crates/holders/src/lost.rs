//! What nothing that is alive leads to: forgotten, in a cycle, or hanging on such blocks.
//!
//! The strongly connected components of that graph are found as Tarjan (1972) does it, with the
//! stack in arrays. StrongComponents that no other component leads to are where the loss began.

use leakcheck_report::Reachability;

use crate::budget::Exhausted;
use crate::evidence::{Evidence, counts, evidence};
use crate::heap::NONE;
use crate::pool::Array;
use crate::reach::Graph;

/// The strongly connected components of what is lost.
#[derive(Debug)]
pub(crate) struct StrongComponents {
    /// The component of each block.
    pub(crate) component_of: Array<u32>,
    pub(crate) count: usize,
    /// How many blocks each has.
    pub(crate) sizes: Array<u32>,
    /// Whether another component leads to it.
    has_predecessor: Array<u8>,
    /// How many pointers hold each block.
    pointers: Array<u32>,
    /// [`BALANCED`] and [`POINTER_MISSING`].
    count_marks: Array<u8>,
    /// The block of each to which the fewest pointers lead.
    representatives: Array<u32>,
}

/// A block of the component has reference counts, and all of them are explained by pointers.
const BALANCED: u8 = 1;
/// A block of the component has a reference count that no pointer explains.
const POINTER_MISSING: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Balance {
    Balanced,
    PointerMissing,
    Unknown,
}

const UNSEEN: u32 = 0;

impl Graph<'_> {
    /// Calls `each` with every lost block that a lost block points to, from word `at` on, until it
    /// says that it has enough. Returns where it stopped.
    pub(crate) fn edges(
        &self,
        block: usize,
        at: usize,
        mut each: impl FnMut(usize, usize, Evidence) -> bool,
    ) -> usize {
        self.each_pointer(block, at, |target, at, value| {
            let bytes = 8 * self.heap.words(target);
            self.reachability(target).is_none_or(Reachability::is_lost)
                && each(target, at, evidence(self.heap.start(target), bytes, value))
        })
    }

    /// Classes all blocks that were not reached.
    pub(crate) fn classify_lost(&mut self) -> Result<StrongComponents, Exhausted> {
        let mut components = self.strong_components()?;
        self.count_pointers(&mut components)?;
        self.judge_components(&mut components)?;
        let first = self.found;
        for block in 0..self.heap.count {
            if self.reachability(block).is_none()
                && let Some(reachability) = self.reachability_of_source(block, &components)
            {
                self.push(block, reachability, NONE, 0);
                self.set_entry_node(block);
            }
        }
        self.mark_indirectly_lost(first)?;
        Ok(components)
    }

    /// Tarjan's algorithm. Numbers are given in the order of the visits, from 1 on; a block's
    /// lowest number becomes its component's when it is complete.
    fn strong_components(&mut self) -> Result<StrongComponents, Exhausted> {
        let count = self.heap.count;
        let array = || Array::<u32>::new(count).ok_or(Exhausted::Memory);
        let (number, low, cursor, caller, stack) =
            (array()?, array()?, array()?, array()?, array()?);
        let of = array()?;
        let (mut next, mut depth, mut components) = (1_u32, 0, 0_u32);
        for first in 0..count {
            if self.reachability(first).is_some() || number.get(first) != UNSEEN {
                continue;
            }
            let mut block = first;
            caller.set(block, NONE);
            loop {
                if number.get(block) == UNSEEN {
                    number.set(block, next);
                    low.set(block, next);
                    next += 1;
                    stack.set(depth, block as u32);
                    depth += 1;
                    of.set(block, NONE);
                    if next & 0xfff == 0 {
                        self.in_time()?;
                    }
                }
                let mut inner = None;
                let stopped = self.edges(block, cursor.get(block) as usize, |target, _, _| {
                    if number.get(target) == UNSEEN {
                        inner = Some(target);
                        return true;
                    }
                    if of.get(target) == NONE && number.get(target) < low.get(block) {
                        low.set(block, number.get(target));
                    }
                    false
                });
                cursor.set(block, stopped as u32);
                if let Some(inner) = inner {
                    caller.set(inner, block as u32);
                    block = inner;
                    continue;
                }
                if low.get(block) == number.get(block) {
                    loop {
                        depth -= 1;
                        let member = stack.get(depth) as usize;
                        of.set(member, components);
                        if member == block {
                            break;
                        }
                    }
                    components += 1;
                }
                let outer = caller.get(block);
                if outer == NONE {
                    break;
                }
                if low.get(block) < low.get(outer as usize) {
                    low.set(outer as usize, low.get(block));
                }
                block = outer as usize;
            }
        }
        for array in [low, cursor, caller, stack] {
            array.unmap();
        }
        let count = components as usize;
        let sizes = Array::new(count).ok_or(Exhausted::Memory)?;
        let has_predecessor = Array::new(count).ok_or(Exhausted::Memory)?;
        // Its numbers are needed no longer.
        let count_marks = Array::new(count).ok_or(Exhausted::Memory)?;
        let representatives = Array::new(count).ok_or(Exhausted::Memory)?;
        Ok(StrongComponents {
            component_of: of,
            count,
            sizes,
            has_predecessor,
            pointers: number,
            count_marks,
            representatives,
        })
    }

    fn count_pointers(&self, components: &mut StrongComponents) -> Result<(), Exhausted> {
        for block in 0..self.heap.count {
            // What is not lost stays untouched.
            if self.reachability(block).is_none() {
                components.pointers.set(block, 0);
            }
        }
        for block in 0..self.heap.count {
            if self.reachability(block).is_some() {
                continue;
            }
            if block & 0xfff == 0 {
                self.in_time()?;
            }
            let own = components.component_of.get(block) as usize;
            components.sizes.set(own, components.sizes.get(own) + 1);
            let is_in_subgraph = self.is_in_subgraph(block);
            self.edges(block, 0, |target, _, evidence| {
                if !is_in_subgraph {
                    self.set_entry_node(target);
                }
                let component = components.component_of.get(target) as usize;
                if component != own {
                    components.has_predecessor.set(component, 1);
                }
                if evidence == Evidence::Direct {
                    components
                        .pointers
                        .set(target, components.pointers.get(target).saturating_add(1));
                }
                false
            });
        }
        Ok(())
    }

    /// How the counts at the beginning of a block, if there are such, go with the pointers to it
    /// that were found.
    fn balance(&self, block: usize, components: &StrongComponents) -> Balance {
        let pointers = components.pointers.get(block) as usize;
        let bytes = 8 * self.heap.words(block);
        match counts(self.heap.start(block), bytes).filter(|_| self.may_be_refcounted(block)) {
            Some(counts) if counts.strong > 0 && pointers > 0 => {
                let expected = counts.strong + counts.weak - 1;
                if expected == pointers {
                    Balance::Balanced
                } else if expected > pointers {
                    Balance::PointerMissing
                } else {
                    Balance::Unknown
                }
            }
            _ => Balance::Unknown,
        }
    }

    /// Finds out for each component how its loss can have begun, and which block stands for it
    /// where the counts do not tell.
    fn judge_components(&self, components: &mut StrongComponents) -> Result<(), Exhausted> {
        for component in 0..components.count {
            components.representatives.set(component, NONE);
        }
        for block in 0..self.heap.count {
            if self.reachability(block).is_some() {
                continue;
            }
            if block & 0xfff == 0 {
                self.in_time()?;
            }
            let component = components.component_of.get(block) as usize;
            match self.balance(block, components) {
                Balance::Balanced => components
                    .count_marks
                    .set(component, components.count_marks.get(component) | BALANCED),
                Balance::PointerMissing => components
                    .count_marks
                    .set(component, components.count_marks.get(component) | POINTER_MISSING),
                Balance::Unknown => {}
            }
            let known = components.representatives.get(component);
            if known == NONE
                || components.pointers.get(block) < components.pointers.get(known as usize)
            {
                components.representatives.set(component, block as u32);
            }
        }
        Ok(())
    }

    /// What a block is that belongs to a component that nothing leads to; `None` for those that
    /// hang on others.
    ///
    /// In a cycle of reference counts every count is explained by a pointer that was found. Where a
    /// pointer is missing, it was forgotten, and what points back are `Weak`s or plain pointers.
    /// Where there are no counts it is a list that points both ways or the like, and the block to
    /// which the fewest pointers lead stands for it.
    fn reachability_of_source(
        &self,
        block: usize,
        components: &StrongComponents,
    ) -> Option<Reachability> {
        let component = components.component_of.get(block) as usize;
        if components.has_predecessor.get(component) != 0 {
            return None;
        }
        let is_representative = components.representatives.get(component) == block as u32;
        match components.count_marks.get(component) {
            count_marks if count_marks & POINTER_MISSING != 0 => (self.balance(block, components)
                == Balance::PointerMissing)
                .then_some(Reachability::Lost),
            count_marks if count_marks & BALANCED != 0 => Some(Reachability::LostInACycle),
            _ => is_representative.then_some(Reachability::Lost),
        }
    }

    /// Classes what hangs on the blocks that were found from `first` on.
    fn mark_indirectly_lost(&mut self, first: usize) -> Result<(), Exhausted> {
        let mut looked = first;
        while looked < self.found {
            let block = self.order.get(looked) as usize;
            looked += 1;
            if looked & 0xfff == 0 {
                self.in_time()?;
            }
            let mut cursor = 0;
            loop {
                let mut next = None;
                cursor = self.edges(block, cursor, |target, at, _| {
                    if self.reachability(target).is_none() {
                        next = Some((target, at));
                    }
                    next.is_some()
                });
                let Some((target, at)) = next else { break };
                self.push(target, Reachability::IndirectlyLost, block as u32, at as u32);
            }
        }
        Ok(())
    }
}
