//! Bytes and blocks.

use std::iter::Sum;
use std::ops::AddAssign;

/// How much memory: bytes as the program asked for them, without headers and rounding, and blocks.
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
