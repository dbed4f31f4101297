//! What keeps a block, in one word.

use serde::{Deserialize, Serialize};

/// What keeps a block alive, or that nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[repr(u8)]
pub enum Holding {
    /// Nothing points to it.
    Lost,
    /// Only blocks point to it that it points to itself: reference counts that keep each other
    /// above zero.
    LostInACycle,
    /// Only lost blocks point to it.
    IndirectlyLost,
    /// A static does, directly or through other blocks.
    HeldByStatic,
    /// A thread-local variable of a thread that still runs does.
    HeldByThreadLocal,
    /// The stack of a thread that still runs does.
    HeldByThread,
    /// Something looks as if it did: a pointer into its middle, or a value that may be left over.
    PossiblyHeld,
}

pub(crate) use Holding as Class;

impl Class {
    pub(crate) const ALL: [Self; 7] = [
        Self::Lost,
        Self::LostInACycle,
        Self::IndirectlyLost,
        Self::HeldByStatic,
        Self::HeldByThreadLocal,
        Self::HeldByThread,
        Self::PossiblyHeld,
    ];

    /// The opposite of [`number`](Self::number).
    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL.get(number as usize - 1).copied().unwrap_or(Self::PossiblyHeld)
    }

    /// Which it is, counted from 1.
    pub(crate) fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Whether nothing that is alive leads to it.
    pub(crate) fn is_lost(self) -> bool {
        matches!(self, Self::Lost | Self::LostInACycle | Self::IndirectlyLost)
    }
}
