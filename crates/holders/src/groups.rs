//! Groups the owned blocks by call site and holder, each group with a reference path.

use leakcheck_report::Reachability;

use crate::answer::{Answer, Group, MAX_GROUPS, MAX_STEPS, Step};
use crate::array::Array;
use crate::budget::Exhausted;
use crate::heap::NONE;
use crate::lost::StrongComponents;
use crate::reach::{Graph, ROOT};

/// The blocks of a group agree in this.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    site: u32,
    reachability: Reachability,
    /// The index of the root and the address of the pointer in it, or 0.
    root: u32,
    root_address: u64,
}

const SLOTS: usize = 4 * MAX_GROUPS;

impl Graph<'_> {
    /// Writes the groups of all owned blocks to the answer.
    pub(crate) fn write_groups(
        &mut self,
        components: &StrongComponents,
        answer: &Answer,
    ) -> Result<(), Exhausted> {
        let slots = Array::<u32>::new(SLOTS).ok_or(Exhausted::Memory)?;
        let first_blocks = self.first_blocks()?;
        let groups = Array::<u32>::new(self.heap.count).ok_or(Exhausted::Memory)?;
        for index in 0..self.reached_count {
            let block = self.reached.get(index) as usize;
            let Some(reachability) = self.reachability(block).filter(|_| self.is_owned(block))
            else {
                continue;
            };
            if index & 0xfff == 0 {
                self.in_time()?;
            }
            let (_, site) = self.heap.owner(block);
            let (root, root_address) = self.root_of(first_blocks.get(block) as usize);
            let key = Key { site, reachability, root, root_address };
            let Some((number, is_new)) = find(&slots, key, answer) else {
                answer.count_omitted();
                continue;
            };
            groups.set(block, number as u32 + 1);
            let group = answer.group(number);
            group.blocks += 1;
            group.bytes += self.heap.bytes(block);
            if is_new {
                self.write_path(block, reachability, components, group);
            }
        }
        first_blocks.unmap();
        self.free_paths()?;
        self.add_retained(&groups, answer)
    }

    /// The first block on each block's reference path, to which a root points.
    fn first_blocks(&self) -> Result<Array<u32>, Exhausted> {
        let first_blocks = Array::<u32>::new(self.heap.count).ok_or(Exhausted::Memory)?;
        for index in 0..self.reached_count {
            let block = self.reached.get(index) as usize;
            let from = self.predecessor.get(block);
            let top = if from & ROOT != 0 { block as u32 } else { first_blocks.get(from as usize) };
            first_blocks.set(block, top);
        }
        Ok(first_blocks)
    }

    /// The root that points to the first block of a path, and the address of the pointer.
    fn root_of(&self, top: usize) -> (u32, u64) {
        let from = self.predecessor.get(top);
        if from == NONE {
            return (0, 0);
        }
        let root = from & !ROOT;
        let start = self.roots.all.get(root as usize).map_or(0, |root| (root.start + 7) & !7);
        (root, (start + 8 * self.word_index.get(top) as usize) as u64)
    }

    fn step(&self, block: usize, at: u32) -> Step {
        let (_, site) = self.heap.owner(block);
        Step { block: self.heap.start(block) as u64, size: self.heap.bytes(block), site, at }
    }

    fn write_path(
        &self,
        block: usize,
        reachability: Reachability,
        components: &StrongComponents,
        group: &mut Group,
    ) {
        if reachability == Reachability::LostInACycle {
            return self.write_cycle(block, components, group);
        }
        let mut length = 1_u64;
        let mut current = block;
        while self.predecessor.get(current) & ROOT == 0 {
            current = self.predecessor.get(current) as usize;
            length += 1;
        }
        // A long path keeps its first and its last steps.
        let max_steps = MAX_STEPS as u64;
        let kept_first = if length > max_steps { max_steps / 2 } else { length };
        let kept_last = if length > max_steps { max_steps - kept_first } else { 0 };
        group.omitted = length - kept_first - kept_last;
        group.steps = (kept_first + kept_last) as u32;
        let (mut current, mut number) = (block, length);
        loop {
            number -= 1;
            let slot = if number < kept_first {
                Some(number)
            } else if number >= length - kept_last {
                Some(number - group.omitted)
            } else {
                None
            };
            if let Some(slot) = slot {
                group.path[slot as usize] = self.step(current, self.word_index.get(current));
            }
            if self.predecessor.get(current) & ROOT != 0 {
                break;
            }
            current = self.predecessor.get(current) as usize;
        }
    }

    /// Writes the shortest cycle through a block.
    fn write_cycle(&self, block: usize, components: &StrongComponents, group: &mut Group) {
        let component = components.component_of.get(block);
        group.members = components.sizes.get(component as usize).into();
        let search = match self.search_cycle(block, components) {
            Some(search) => search,
            None => return,
        };
        let mut length = 0;
        search.each(block, |_, _| length += 1);
        let max_steps = MAX_STEPS as u64;
        group.steps = length.min(max_steps) as u32;
        group.omitted = length - u64::from(group.steps);
        // The search returns the steps in reverse order.
        let mut number = length;
        search.each(block, |member, at| {
            number -= 1;
            if number < max_steps {
                group.path[number as usize] = self.step(member, at);
            }
        });
        search.unmap();
    }

    /// Searches the block's component breadth first until a pointer leads back to the block.
    fn search_cycle(&self, block: usize, components: &StrongComponents) -> Option<CycleSearch> {
        let component = components.component_of.get(block);
        let count = self.heap.count;
        let search = CycleSearch {
            predecessor: Array::new(count)?,
            word_index: Array::new(count)?,
            queue: Array::new(count)?,
        };
        let (mut visited, mut found) = (0, 1);
        search.queue.set(0, block as u32);
        while visited < found && search.predecessor.get(block) == 0 {
            let here = search.queue.get(visited) as usize;
            visited += 1;
            self.edges(here, 0, |target, at, _| {
                if components.component_of.get(target) == component
                    && search.predecessor.get(target) == 0
                {
                    // Plus one, so that 0 means unvisited.
                    search.predecessor.set(target, here as u32 + 1);
                    search.word_index.set(target, at as u32);
                    search.queue.set(found, target as u32);
                    found += 1;
                }
                search.predecessor.get(block) != 0
            });
        }
        Some(search)
    }
}

/// The breadth-first tree of a component.
struct CycleSearch {
    predecessor: Array<u32>,
    word_index: Array<u32>,
    queue: Array<u32>,
}

impl CycleSearch {
    /// Calls `each` with the blocks of the cycle in reverse order, and with the index of the word
    /// that points to each.
    fn each(&self, block: usize, mut each: impl FnMut(usize, u32)) {
        let mut member = block;
        loop {
            let from = self.predecessor.get(member);
            if from == 0 {
                break;
            }
            each(member, self.word_index.get(member));
            member = from as usize - 1;
            if member == block {
                break;
            }
        }
    }

    fn unmap(self) {
        for array in [self.predecessor, self.word_index, self.queue] {
            array.unmap();
        }
    }
}

/// Finds or adds the group of a key. Returns its index and whether it is new, or `None` if there is
/// no more room.
fn find(slots: &Array<u32>, key: Key, answer: &Answer) -> Option<(usize, bool)> {
    let mut hash = u64::from(key.site) << 8 | u64::from(key.reachability.number());
    hash = (hash ^ key.root_address.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut slot = (hash >> 48) as usize % SLOTS;
    loop {
        let index = slots.get(slot) as usize;
        if index == 0 {
            let index = answer.add_group()?;
            slots.set(slot, index as u32 + 1);
            let group = answer.group(index);
            group.site = key.site;
            group.reachability = key.reachability.number().into();
            group.root = key.root;
            group.root_address = key.root_address;
            return Some((index, true));
        }
        let group = answer.group(index - 1);
        let known = Key {
            site: group.site,
            reachability: group.reachability(),
            root: group.root,
            root_address: group.root_address,
        };
        if known == key {
            return Some((index - 1, false));
        }
        slot = (slot + 1) % SLOTS;
    }
}
