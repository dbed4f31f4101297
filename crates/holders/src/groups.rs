//! The answer: blocks of the region by call site and holder, each group with a path.

use crate::answer::{Answer, Group, MOST_GROUPS, MOST_STEPS, Step};
use crate::heap::NONE;
use crate::lost::Parts;
use crate::pool::Array;
use crate::reach::{Graph, ROOT, Trouble};
use leakcheck_report::Reachability;

/// What tells one group from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    site: u32,
    reachability: Reachability,
    /// The root and the address in it that the path begins at, or 0.
    root: u32,
    place: u64,
}

const SLOTS: usize = 4 * MOST_GROUPS;

impl Graph<'_> {
    /// Tells the groups of the region's blocks.
    pub(crate) fn tell(&mut self, parts: &Parts, answer: &Answer) -> Result<(), Trouble> {
        let slots = Array::<u32>::new(SLOTS).ok_or(Trouble::Memory)?;
        let tops = self.tops()?;
        let groups = Array::<u32>::new(self.heap.count).ok_or(Trouble::Memory)?;
        for place in 0..self.found {
            let block = self.order.get(place) as usize;
            let Some(reachability) = self.reachability(block).filter(|_| self.is_mine(block))
            else {
                continue;
            };
            if place & 0xfff == 0 {
                self.in_time()?;
            }
            let (_, site) = self.heap.owner(block);
            let (root, place) = self.root_of(tops.get(block) as usize);
            let key = Key { site, reachability, root, place };
            let Some((number, is_new)) = find(&slots, key, answer) else {
                answer.count_untold();
                continue;
            };
            groups.set(block, number as u32 + 1);
            let group = answer.group(number);
            group.blocks += 1;
            group.bytes += self.heap.bytes(block);
            if is_new {
                self.write_path(block, reachability, parts, group);
            }
        }
        tops.give_back();
        self.forget_ways()?;
        self.add_retained(&groups, answer)
    }

    /// For each block the first one of its path, which a root leads to, or nothing.
    fn tops(&self) -> Result<Array<u32>, Trouble> {
        let tops = Array::<u32>::new(self.heap.count).ok_or(Trouble::Memory)?;
        for place in 0..self.found {
            let block = self.order.get(place) as usize;
            let from = self.from.get(block);
            let top = if from & ROOT != 0 { block as u32 } else { tops.get(from as usize) };
            tops.set(block, top);
        }
        Ok(tops)
    }

    /// The root that leads to the first block of a path, and where the pointer is.
    fn root_of(&self, top: usize) -> (u32, u64) {
        let from = self.from.get(top);
        if from == NONE {
            return (0, 0);
        }
        let root = from & !ROOT;
        let start = self.roots.all.get(root as usize).map_or(0, |root| (root.start + 7) & !7);
        (root, (start + 8 * self.at.get(top) as usize) as u64)
    }

    fn step(&self, block: usize, at: u32) -> Step {
        let (_, site) = self.heap.owner(block);
        Step { block: self.heap.start(block) as u64, size: self.heap.bytes(block), site, at }
    }

    fn write_path(
        &self,
        block: usize,
        reachability: Reachability,
        parts: &Parts,
        group: &mut Group,
    ) {
        if reachability == Reachability::LostInACycle {
            return self.write_cycle(block, parts, group);
        }
        let mut length = 1_u64;
        let mut at = block;
        while self.from.get(at) & ROOT == 0 {
            at = self.from.get(at) as usize;
            length += 1;
        }
        // Of a long path both ends: the first half and the last.
        let most = MOST_STEPS as u64;
        let kept_first = if length > most { most / 2 } else { length };
        let kept_last = if length > most { most - kept_first } else { 0 };
        group.omitted = length - kept_first - kept_last;
        group.steps = (kept_first + kept_last) as u32;
        let (mut at, mut number) = (block, length);
        loop {
            number -= 1;
            let place = if number < kept_first {
                Some(number)
            } else if number >= length - kept_last {
                Some(number - group.omitted)
            } else {
                None
            };
            if let Some(place) = place {
                group.path[place as usize] = self.step(at, self.at.get(at));
            }
            if self.from.get(at) & ROOT != 0 {
                break;
            }
            at = self.from.get(at) as usize;
        }
    }

    /// The shortest way from a block around its part and back to it.
    fn write_cycle(&self, block: usize, parts: &Parts, group: &mut Group) {
        let part = parts.of.get(block);
        group.members = parts.sizes.get(part as usize).into();
        let around = match self.around(block, parts) {
            Some(around) => around,
            None => return,
        };
        let mut length = 0;
        around.each(block, |_, _| length += 1);
        let most = MOST_STEPS as u64;
        group.steps = length.min(most) as u32;
        group.omitted = length - u64::from(group.steps);
        // They come from the last one on.
        let mut number = length;
        around.each(block, |member, at| {
            number -= 1;
            if number < most {
                group.path[number as usize] = self.step(member, at);
            }
        });
        around.give_back();
    }

    /// Breadth first from a block until something points back to it.
    fn around(&self, block: usize, parts: &Parts) -> Option<Around> {
        let part = parts.of.get(block);
        let count = self.heap.count;
        let around =
            Around { from: Array::new(count)?, at: Array::new(count)?, queue: Array::new(count)? };
        let (mut looked, mut found) = (0, 1);
        around.queue.set(0, block as u32);
        while looked < found && around.from.get(block) == 0 {
            let here = around.queue.get(looked) as usize;
            looked += 1;
            self.edges(here, 0, |target, at, _| {
                if parts.of.get(target) == part && around.from.get(target) == 0 {
                    // One more, so that 0 is none.
                    around.from.set(target, here as u32 + 1);
                    around.at.set(target, at as u32);
                    around.queue.set(found, target as u32);
                    found += 1;
                }
                around.from.get(block) != 0
            });
        }
        Some(around)
    }
}

/// Ways inside of a part.
struct Around {
    from: Array<u32>,
    at: Array<u32>,
    queue: Array<u32>,
}

impl Around {
    /// The cycle through a block, from the block that leads to it back to itself, each with the
    /// place of the pointer to it.
    fn each(&self, block: usize, mut each: impl FnMut(usize, u32)) {
        let mut member = block;
        loop {
            let from = self.from.get(member);
            if from == 0 {
                break;
            }
            each(member, self.at.get(member));
            member = from as usize - 1;
            if member == block {
                break;
            }
        }
    }

    fn give_back(self) {
        for array in [self.from, self.at, self.queue] {
            array.give_back();
        }
    }
}

/// The group of a key, and whether it is a new one.
fn find(slots: &Array<u32>, key: Key, answer: &Answer) -> Option<(usize, bool)> {
    let mut hash = u64::from(key.site) << 8 | u64::from(key.reachability.number());
    hash = (hash ^ key.place.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut slot = (hash >> 48) as usize % SLOTS;
    loop {
        let index = slots.get(slot) as usize;
        if index == 0 {
            let index = answer.add()?;
            slots.set(slot, index as u32 + 1);
            let group = answer.group(index);
            group.site = key.site;
            group.reachability = key.reachability.number().into();
            group.root = key.root;
            group.place = key.place;
            return Some((index, true));
        }
        let group = answer.group(index - 1);
        let known = Key {
            site: group.site,
            reachability: group.reachability(),
            root: group.root,
            place: group.place,
        };
        if known == key {
            return Some((index - 1, false));
        }
        slot = (slot + 1) % SLOTS;
    }
}
