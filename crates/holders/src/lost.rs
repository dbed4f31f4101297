//! Unreachable blocks: lost, lost in a cycle, or indirectly lost.
//!
//! Tarjan's algorithm (1972) finds the strongly connected components of their graph, with an
//! explicit stack. A component without predecessors is where a loss started.

use leakcheck_report::Reachability;

use crate::array::Array;
use crate::budget::Exhausted;
use crate::evidence::{Evidence, counts, evidence};
use crate::heap::NONE;
use crate::reach::Graph;

/// The strongly connected components of the unreachable blocks.
#[derive(Debug)]
pub(crate) struct StrongComponents {
    /// The component of each block.
    pub(crate) component_of: Array<u32>,
    pub(crate) count: usize,
    /// The number of blocks in each component.
    pub(crate) sizes: Array<u32>,
    /// Whether another component points to each component.
    has_predecessor: Array<u8>,
    /// The number of direct pointers to each block.
    pointers: Array<u32>,
    /// [`BALANCED`] and [`POINTER_MISSING`] for each component.
    count_marks: Array<u8>,
    /// The block of each component with the fewest pointers to it.
    representatives: Array<u32>,
}

/// All reference counts of a block in the component are accounted for by pointers.
const BALANCED: u8 = 1;
/// A reference count of a block in the component exceeds the pointers to the block.
const POINTER_MISSING: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Balance {
    Balanced,
    PointerMissing,
    Unknown,
}

const UNSEEN: u32 = 0;

impl Graph<'_> {
    /// Calls `each` with the target, the word's index and the evidence for every pointer from a
    /// lost block to another, starting at the word `at`, until it returns `true`. Returns the index
    /// of the next word.
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

    /// Classifies all blocks that were not reached.
    pub(crate) fn classify_lost(&mut self) -> Result<StrongComponents, Exhausted> {
        let mut components = self.strong_components()?;
        self.count_pointers(&mut components)?;
        self.judge_components(&mut components)?;
        let first = self.reached_count;
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

    /// Runs Tarjan's algorithm. Numbers start at 1 in the order of visits. The block whose lowest
    /// reachable number is its own completes a component.
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
        // The array of numbers is not needed any longer.
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
            // Entries of other blocks are not used.
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
                if evidence.is_direct() {
                    components
                        .pointers
                        .set(target, components.pointers.get(target).saturating_add(1));
                }
                false
            });
        }
        Ok(())
    }

    /// Compares the reference counts at the start of a block, if it has any, with the pointers to
    /// it.
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

    /// Determines for each component how the loss can have started, and the block that represents
    /// it if reference counts do not determine one.
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

    /// The class of a block in a component without predecessors, or `None` if the block is only
    /// indirectly lost.
    ///
    /// In a cycle of reference counts, all counts are accounted for by pointers. If one is not,
    /// that pointer was leaked, and the pointers back are `Weak`s or plain pointers. A component
    /// without reference counts is a doubly linked list or similar, represented by the block with
    /// the fewest pointers to it.
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

    /// Marks the blocks that are reachable from those classified since index `first` as indirectly
    /// lost.
    fn mark_indirectly_lost(&mut self, first: usize) -> Result<(), Exhausted> {
        let mut visited = first;
        while visited < self.reached_count {
            let block = self.reached.get(visited) as usize;
            visited += 1;
            if visited & 0xfff == 0 {
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
