//! Which blocks have their call stack captured where not all have.
//!
//! Large blocks have, and of the others a Poisson sample by bytes, as in the heap profilers of
//! tcmalloc and jemalloc: each allocated byte is picked with the same small chance, and a block is
//! captured when one of its bytes is. How far it is from one picked byte to the next has an
//! exponential distribution. That has no memory, so the distance is simply drawn anew after every
//! captured block.

#[cfg(asm_hot_path)]
use std::mem::offset_of;

use leakcheck_system::counter::LocalCounter;

/// The size from which on every block is captured.
pub const LARGE: usize = 64 << 10;

/// How many bytes of smaller blocks there are to one that is picked, on average.
pub(crate) const MEAN: f64 = (16 << 10) as f64;

/// Picks blocks for one thread. Of the same seed come the same picks.
#[repr(C)]
pub(crate) struct Sampler {
    /// Bytes up to the one that is picked next; less than nothing where that is in the block at
    /// hand.
    until: LocalCounter,
    random: LocalCounter,
}

#[cfg(asm_hot_path)]
impl Sampler {
    pub(crate) const UNTIL_AT: usize = offset_of!(Self, until);
}

impl Sampler {
    pub(crate) fn begin(&self, seed: u64) {
        self.random.set(seed);
        self.draw();
    }

    /// Whether a block that is not large is captured.
    #[inline(always)]
    pub(crate) fn picks(&self, size: u64) -> bool {
        // Where assembly has found that the block is picked, its size was taken off already: twice is
        // as good as once.
        if !self.until.sub_is_negative(size) {
            return false;
        }
        self.draw();
        true
    }

    /// Draws the distance to the next picked byte.
    #[cold]
    #[inline(never)]
    fn draw(&self) {
        // Half-open towards zero, whose logarithm there is not.
        let uniform = ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        self.until.set((-uniform.ln() * MEAN) as u64);
    }

    /// The SplitMix64 generator of Steele, Lea and Flood (2014), which is good from any seed on.
    fn next(&self) -> u64 {
        self.random.add(0x9e37_79b9_7f4a_7c15);
        let mixed = self.random.get();
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(seed: u64) -> Sampler {
        let sampler = Sampler { until: LocalCounter::new(0), random: LocalCounter::new(0) };
        sampler.begin(seed);
        sampler
    }

    /// The share of blocks of a size that are picked. The seeds are given, so it is always the
    /// same.
    fn picked(size: u64, blocks: u32) -> f64 {
        let sampler = sampler(size);
        let picked = (0..blocks).filter(|_| sampler.picks(size)).count();
        picked as f64 / f64::from(blocks)
    }

    #[test]
    fn a_block_is_picked_with_the_chance_of_its_bytes() {
        for size in [1, 16, 100, 1000, 16 << 10, 60_000] {
            let blocks = 1_000_000;
            let chance = -(-(size as f64) / MEAN).exp_m1();
            let deviation = (chance * (1.0 - chance) / f64::from(blocks)).sqrt();
            let share = picked(size, blocks);
            assert!((share - chance).abs() < 4.0 * deviation, "{size}: {share}, not {chance}");
        }
    }

    #[test]
    fn sizes_in_any_order_are_picked_alike() {
        let sampler = sampler(7);
        let (mut small, mut large) = (0, 0);
        for _ in 0..100_000 {
            small += u32::from(sampler.picks(16));
            large += u32::from(sampler.picks(16 << 10));
        }
        // 97.6 and 63,212 are to be expected, with deviations of 9.9 and 152.
        assert!((58..138).contains(&small), "{small}");
        assert!((62_600..63_820).contains(&large), "{large}");
    }

    #[test]
    fn the_same_seed_picks_the_same_blocks() {
        let picks = |seed| {
            let sampler = sampler(seed);
            (0..5000).filter(|_| sampler.picks(100)).collect::<Vec<u32>>()
        };
        assert_eq!(picks(3), picks(3));
        assert_ne!(picks(3), picks(4));
        assert!(picks(3).len() > 10);
    }

    #[test]
    fn a_size_that_was_taken_off_already_changes_nothing() {
        let (whole, taken) = (sampler(1), sampler(1));
        for _ in 0..100 {
            while !whole.picks(100) {
                assert!(!taken.until.sub_is_negative(100));
            }
            assert!(taken.until.sub_is_negative(100));
            assert!(taken.picks(100));
            assert_eq!(whole.until.get(), taken.until.get());
        }
    }
}
