//! Amounts of memory and their differences.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// An amount of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Bytes as the program asked for them, without headers and rounding.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.blocks += other.blocks;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), |mut sum, amount| {
            sum += amount;
            sum
        })
    }
}

/// A difference between two amounts of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
pub struct Growth {
    /// Bytes; negative when more were freed than allocated.
    pub bytes: i64,
    /// Blocks; negative when more were freed than allocated.
    pub blocks: i64,
}

impl From<Amount> for Growth {
    fn from(amount: Amount) -> Self {
        Self { bytes: amount.bytes as i64, blocks: amount.blocks as i64 }
    }
}

impl Add for Growth {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, blocks: self.blocks + other.blocks }
    }
}

impl Sub for Growth {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { bytes: self.bytes - other.bytes, blocks: self.blocks - other.blocks }
    }
}

/// Memory that is meant to stay and is excluded from the verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Allowed {
    /// The reason that was given.
    pub why: String,
    /// How much of it is retained.
    #[serde(flatten)]
    pub amount: Amount,
}

impl Allowed {
    /// So much memory, allowed for a reason.
    pub fn new(why: impl Into<String>, amount: Amount) -> Self {
        Self { why: why.into(), amount }
    }
}
