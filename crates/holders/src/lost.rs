//! What nothing that is alive leads to: forgotten, in a cycle, or hanging on such blocks.
//!
//! The strongly connected parts of that graph are found as Tarjan (1972) does it, with the stack in
//! arrays. Parts that no other part leads to are where the loss began.

use crate::evidence::{Evidence, counts, evidence};
use crate::heap::NONE;
use crate::pool::Array;
use crate::reach::{Graph, Trouble};
use leakcheck_report::Reachability;

/// The strongly connected parts of what is lost.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The part of each block.
    pub(crate) of: Array<u32>,
    pub(crate) count: usize,
    /// How many blocks each has.
    pub(crate) sizes: Array<u32>,
    /// Whether another part leads to it.
    led_to: Array<u8>,
    /// How many pointers hold each block.
    pointers: Array<u32>,
    /// [`EXPLAINED`] and [`MISSING`].
    judged: Array<u8>,
    /// The block of each to which the fewest pointers lead.
    stands_for: Array<u32>,
}

/// A block of the part has reference counts, and all of them are explained by pointers.
const EXPLAINED: u8 = 1;
/// A block of the part has a reference count that no pointer explains.
const MISSING: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    Explained,
    Missing,
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
    pub(crate) fn sort_lost(&mut self) -> Result<Parts, Trouble> {
        let mut parts = self.parts()?;
        self.count_pointers(&mut parts)?;
        self.judge_parts(&mut parts)?;
        let first = self.found;
        for block in 0..self.heap.count {
            if self.reachability(block).is_none()
                && let Some(reachability) = self.reachability_of_source(block, &parts)
            {
                self.push(block, reachability, NONE, 0);
                self.set_entered(block);
            }
        }
        self.hang_on(first)?;
        Ok(parts)
    }

    /// Tarjan's algorithm. Numbers are given in the order of the visits, from 1 on; a block's lowest
    /// number becomes its part's when it is complete.
    fn parts(&mut self) -> Result<Parts, Trouble> {
        let count = self.heap.count;
        let array = || Array::<u32>::new(count).ok_or(Trouble::Memory);
        let (number, low, cursor, caller, stack) =
            (array()?, array()?, array()?, array()?, array()?);
        let of = array()?;
        let (mut next, mut depth, mut parts) = (1_u32, 0, 0_u32);
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
                        of.set(member, parts);
                        if member == block {
                            break;
                        }
                    }
                    parts += 1;
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
            array.give_back();
        }
        let count = parts as usize;
        let sizes = Array::new(count).ok_or(Trouble::Memory)?;
        let led_to = Array::new(count).ok_or(Trouble::Memory)?;
        // Its numbers are needed no longer.
        let judged = Array::new(count).ok_or(Trouble::Memory)?;
        let stands_for = Array::new(count).ok_or(Trouble::Memory)?;
        Ok(Parts { of, count, sizes, led_to, pointers: number, judged, stands_for })
    }

    fn count_pointers(&self, parts: &mut Parts) -> Result<(), Trouble> {
        for block in 0..self.heap.count {
            // What is not lost stays untouched.
            if self.reachability(block).is_none() {
                parts.pointers.set(block, 0);
            }
        }
        for block in 0..self.heap.count {
            if self.reachability(block).is_some() {
                continue;
            }
            if block & 0xfff == 0 {
                self.in_time()?;
            }
            let own = parts.of.get(block) as usize;
            parts.sizes.set(own, parts.sizes.get(own) + 1);
            let is_below = self.is_below(block);
            self.edges(block, 0, |target, _, told| {
                if !is_below {
                    self.set_entered(target);
                }
                let part = parts.of.get(target) as usize;
                if part != own {
                    parts.led_to.set(part, 1);
                }
                if told == Evidence::Direct {
                    parts.pointers.set(target, parts.pointers.get(target).saturating_add(1));
                }
                false
            });
        }
        Ok(())
    }

    /// How the counts at the beginning of a block, if there are such, go with the pointers to it that
    /// were found.
    fn account(&self, block: usize, parts: &Parts) -> Account {
        let pointers = parts.pointers.get(block) as usize;
        let bytes = 8 * self.heap.words(block);
        match counts(self.heap.start(block), bytes).filter(|_| self.may_be_counted(block)) {
            Some(counts) if counts.strong > 0 && pointers > 0 => {
                let expected = counts.strong + counts.weak - 1;
                if expected == pointers {
                    Account::Explained
                } else if expected > pointers {
                    Account::Missing
                } else {
                    Account::Unknown
                }
            }
            _ => Account::Unknown,
        }
    }

    /// Finds out for each part how its loss can have begun, and which block stands for it where the
    /// counts do not tell.
    fn judge_parts(&self, parts: &mut Parts) -> Result<(), Trouble> {
        for part in 0..parts.count {
            parts.stands_for.set(part, NONE);
        }
        for block in 0..self.heap.count {
            if self.reachability(block).is_some() {
                continue;
            }
            if block & 0xfff == 0 {
                self.in_time()?;
            }
            let part = parts.of.get(block) as usize;
            match self.account(block, parts) {
                Account::Explained => parts.judged.set(part, parts.judged.get(part) | EXPLAINED),
                Account::Missing => parts.judged.set(part, parts.judged.get(part) | MISSING),
                Account::Unknown => {}
            }
            let known = parts.stands_for.get(part);
            if known == NONE || parts.pointers.get(block) < parts.pointers.get(known as usize) {
                parts.stands_for.set(part, block as u32);
            }
        }
        Ok(())
    }

    /// What a block is that belongs to a part that nothing leads to; `None` for those that hang on
    /// others.
    ///
    /// In a cycle of reference counts every count is explained by a pointer that was found. Where a
    /// pointer is missing, it was forgotten, and what points back are `Weak`s or plain pointers. Where
    /// there are no counts it is a list that points both ways or the like, and the block to which
    /// the fewest pointers lead stands for it.
    fn reachability_of_source(&self, block: usize, parts: &Parts) -> Option<Reachability> {
        let part = parts.of.get(block) as usize;
        if parts.led_to.get(part) != 0 {
            return None;
        }
        let stands = parts.stands_for.get(part) == block as u32;
        match parts.judged.get(part) {
            judged if judged & MISSING != 0 => {
                (self.account(block, parts) == Account::Missing).then_some(Reachability::Lost)
            }
            judged if judged & EXPLAINED != 0 => Some(Reachability::LostInACycle),
            _ => stands.then_some(Reachability::Lost),
        }
    }

    /// Classes what hangs on the blocks that were found from `first` on.
    fn hang_on(&mut self, first: usize) -> Result<(), Trouble> {
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
