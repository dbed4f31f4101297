//! Bytes and blocks.

use std::iter::Sum;
use std::ops::AddAssign;

/// An amount of memory. The bytes are those that the program requested, without headers and
/// rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub bytes: u64,
    pub blocks: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.blocks += other.blocks;
    }
}

impl Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, totals| {
            sum += totals;
            sum
        })
    }
}
