//! Selects the blocks whose call stacks are captured, if not all of them are.
//!
//! These are all large blocks and a Poisson sample of the others by bytes, as in the heap profilers
//! of tcmalloc and jemalloc. Each allocated byte is selected with the same small probability, and a
//! block is captured if one of its bytes is selected. The distance between two selected bytes has
//! an exponential distribution. That distribution is memoryless, so a new distance is drawn after
//! every captured block.

#[cfg(asm_hot_path)]
use std::mem::offset_of;

use leakcheck_system::counter::LocalCounter;

/// The smallest size of a large block.
pub(crate) const LARGE: usize = 64 << 10;

/// The mean distance in bytes between two selected bytes of smaller blocks.
pub(crate) const MEAN: f64 = (16 << 10) as f64;

/// Selects blocks for one thread. The same seed leads to the same selection.
#[repr(C)]
pub(crate) struct Sampler {
    /// The number of bytes before the next selected one. It is negative if the current block
    /// contains that byte.
    until: LocalCounter,
    random: LocalCounter,
}

#[cfg(asm_hot_path)]
impl Sampler {
    pub(crate) const UNTIL_AT: usize = offset_of!(Self, until);
}

impl Sampler {
    /// Starts a new selection.
    pub(crate) fn reset(&self, seed: u64) {
        self.random.set(seed);
        self.draw();
    }

    /// Returns whether a block that is not large is captured.
    #[inline(always)]
    pub(crate) fn selects(&self, size: u64) -> bool {
        // If the assembly found that the block is captured, it has already subtracted the size. To
        // subtract it again does no harm, because the result is negative either way.
        if !self.until.sub_is_negative(size) {
            return false;
        }
        self.draw();
        true
    }

    /// Draws the distance to the next selected byte.
    #[cold]
    #[inline(never)]
    fn draw(&self) {
        // The interval excludes zero, which has no logarithm.
        let uniform = ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        self.until.set((-uniform.ln() * MEAN) as u64);
    }

    /// Returns the next number of the SplitMix64 generator (Steele, Lea and Flood, 2014), which
    /// accepts any seed.
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
        sampler.reset(seed);
        sampler
    }

    /// Returns the share of blocks of a size that are captured. The seed is fixed, so the result is
    /// reproducible.
    fn selected_share(size: u64, blocks: u32) -> f64 {
        let sampler = sampler(size);
        let selected = (0..blocks).filter(|_| sampler.selects(size)).count();
        selected as f64 / f64::from(blocks)
    }

    #[test]
    fn a_block_is_selected_with_the_probability_of_its_bytes() {
        for size in [1, 16, 100, 1000, 16 << 10, 60_000] {
            let blocks = 1_000_000;
            let probability = -(-(size as f64) / MEAN).exp_m1();
            let deviation = (probability * (1.0 - probability) / f64::from(blocks)).sqrt();
            let share = selected_share(size, blocks);
            let error = (share - probability).abs();
            assert!(error < 4.0 * deviation, "{size}: {share}, not {probability}");
        }
    }

    #[test]
    fn the_order_of_sizes_does_not_matter() {
        let sampler = sampler(7);
        let (mut small, mut large) = (0, 0);
        for _ in 0..100_000 {
            small += u32::from(sampler.selects(16));
            large += u32::from(sampler.selects(16 << 10));
        }
        // The expected values are 97.6 and 63,212, with standard deviations of 9.9 and 152.
        assert!((58..138).contains(&small), "{small}");
        assert!((62_600..63_820).contains(&large), "{large}");
    }

    #[test]
    fn the_same_seed_selects_the_same_blocks() {
        let selection = |seed| {
            let sampler = sampler(seed);
            (0..5000).filter(|_| sampler.selects(100)).collect::<Vec<u32>>()
        };
        assert_eq!(selection(3), selection(3));
        assert_ne!(selection(3), selection(4));
        assert!(selection(3).len() > 10);
    }

    #[test]
    fn subtracting_a_size_twice_changes_nothing() {
        let (whole, taken) = (sampler(1), sampler(1));
        for _ in 0..100 {
            while !whole.selects(100) {
                assert!(!taken.until.sub_is_negative(100));
            }
            assert!(taken.until.sub_is_negative(100));
            assert!(taken.selects(100));
            assert_eq!(whole.until.get(), taken.until.get());
        }
    }
}
