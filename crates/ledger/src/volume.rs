//! Bytes and blocks.

use std::iter::Sum;
use std::ops::AddAssign;

/// An amount of memory. The bytes are those that the program requested, without headers and
/// rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    pub bytes: u64,
    pub blocks: u64,
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.blocks += other.blocks;
    }
}

impl Sum for Volume {
    fn sum<I: Iterator<Item = Self>>(volumes: I) -> Self {
        volumes.fold(Self::default(), |mut sum, volume| {
            sum += volume;
            sum
        })
    }
}
