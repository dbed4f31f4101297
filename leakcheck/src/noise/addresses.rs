//! The distinct addresses of many call stacks.

/// Numbers distinct addresses in the order in which they are added.
///
/// It is a plain open-addressing hash table, because it is asked for every frame of every call site,
/// which the standard library's takes several times as long for in an unoptimized build.
#[derive(Debug)]
pub(super) struct Addresses {
    distinct: Vec<usize>,
    /// For each slot one plus the number of its address, 0 if it is empty. The length is a power of
    /// two.
    slots: Vec<u32>,
}

const MIN_SLOTS: usize = 1 << 10;

impl Addresses {
    pub(super) fn new() -> Self {
        Self { distinct: Vec::new(), slots: vec![0; MIN_SLOTS] }
    }

    /// The distinct addresses, in the order of their numbers.
    pub(super) fn distinct(&self) -> &[usize] {
        &self.distinct
    }

    /// Returns the number of an address, after adding it if it is new.
    #[inline(always)]
    pub(super) fn number(&mut self, address: usize) -> u32 {
        let (slots, distinct): (&[u32], &[usize]) = (&self.slots, &self.distinct);
        let mask = slots.len() - 1;
        let mut slot = first_slot(address) & mask;
        loop {
            let entry = slots[slot];
            if entry == 0 {
                return self.add(address, slot);
            }
            if distinct[entry as usize - 1] == address {
                return entry - 1;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[cold]
    fn add(&mut self, address: usize, slot: usize) -> u32 {
        let number = self.distinct.len() as u32;
        self.distinct.push(address);
        self.slots[slot] = number + 1;
        if self.distinct.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![0; mask + 1];
        for (number, address) in (1..).zip(&self.distinct) {
            let mut slot = first_slot(*address) & mask;
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = number;
        }
    }
}

/// Fibonacci hashing: the upper half of the product depends on all bits of the address.
#[inline(always)]
fn first_slot(address: usize) -> usize {
    ((address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_number() {
        let mut addresses = Addresses::new();
        let all: Vec<usize> = (0..5000).map(|n| 0x5555_0000 + n * 5).collect();
        let numbers: Vec<u32> = all.iter().map(|address| addresses.number(*address)).collect();
        assert!(numbers.iter().copied().eq(0..5000));
        assert!(all.iter().map(|address| addresses.number(*address)).eq(0..5000));
        assert_eq!(addresses.distinct(), all);
    }
}
