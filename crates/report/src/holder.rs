//! What keeps the blocks of a call site alive.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;

/// What keeps some blocks of a call site alive, or that nothing does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// Whether and from where the blocks are reachable.
    pub class: Reachability,
    /// The bytes of the blocks.
    pub bytes: u64,
    /// The number of blocks.
    pub blocks: u64,
    /// The retained size: the bytes that would be freed together with the blocks, their own
    /// included. What is reachable by other paths as well is not part of it.
    pub retained_bytes: u64,
    /// The same in blocks.
    pub retained_blocks: u64,
    /// The reference path to one of the blocks, or around the cycle, in words.
    pub path: String,
    /// Where the reference path starts; none for lost blocks.
    pub root: Option<Root>,
    /// The blocks on the path, the one in question last. Around a cycle, that one is first and last.
    pub steps: Vec<Step>,
    /// How many steps in the middle of the path are missing.
    pub omitted_steps: u64,
    /// How many blocks the cycle has; 0 where there is none.
    pub members: u64,
}

/// Whether and from where a block is reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[repr(u8)]
pub enum Reachability {
    /// Nothing points to it.
    Lost,
    /// Only blocks point to it that it points to itself: reference counts that keep each other
    /// above zero.
    LostInACycle,
    /// Only lost blocks point to it.
    IndirectlyLost,
    /// Reachable from a static, directly or through other blocks.
    HeldByStatic,
    /// Reachable from a thread-local variable of a thread that still runs.
    HeldByThreadLocal,
    /// Reachable from the stack of a thread that still runs.
    HeldByThread,
    /// Only an interior pointer, or a possibly stale value, leads to it.
    PossiblyHeld,
}

/// How the reference paths of a report were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FoundBy {
    /// By a snapshot of the process at the verdict.
    Snapshot,
    /// By a snapshot of another process that ran the test again.
    Rerun,
}

/// Where a reference path starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Root {
    /// The path of the static or thread-local, with the fields that lead to the pointer; none where
    /// it has no symbol, and for stacks.
    pub name: Option<String>,
    /// The file name of the program or library that contains the static or thread-local.
    pub module: Option<String>,
    /// Where in that module the pointer is.
    pub offset: Option<u64>,
    /// The name of the thread whose thread-local or stack it is.
    pub thread: Option<String>,
    /// Where the thread was started, as `file:line`.
    pub started_at: Option<String>,
}

/// A block on a reference path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// The type that it was allocated for, as far as its call site shows it.
    #[serde(rename = "type")]
    pub label: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Where it was allocated, as `file:line`.
    pub place: Option<String>,
    /// Where in the step before it the pointer is, in bytes.
    pub offset: u64,
    /// The fields that lead there, as far as debug information shows them.
    pub field: Option<String>,
}

impl Reachability {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Lost,
        Self::LostInACycle,
        Self::IndirectlyLost,
        Self::HeldByStatic,
        Self::HeldByThreadLocal,
        Self::HeldByThread,
        Self::PossiblyHeld,
    ];

    /// The class with a [number](Self::number).
    pub fn from_number(number: u8) -> Self {
        let index = usize::from(number).wrapping_sub(1);
        Self::ALL.get(index).copied().unwrap_or(Self::PossiblyHeld)
    }

    /// Its number, counted from 1.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Whether the block is unreachable.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Lost | Self::LostInACycle | Self::IndirectlyLost)
    }
}

impl Holder {
    /// Blocks of that class that retain no others, without a reference path.
    pub fn new(class: Reachability, blocks: Amount) -> Self {
        Self {
            class,
            bytes: blocks.bytes,
            blocks: blocks.blocks,
            retained_bytes: blocks.bytes,
            retained_blocks: blocks.blocks,
            path: String::new(),
            root: None,
            steps: Vec::new(),
            omitted_steps: 0,
            members: 0,
        }
    }

    /// The amount of memory in the blocks themselves.
    pub fn amount(&self) -> Amount {
        Amount { bytes: self.bytes, blocks: self.blocks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_numbers() {
        for class in Reachability::ALL {
            assert_eq!(Reachability::from_number(class.number()), class);
        }
        assert_eq!(Reachability::from_number(0), Reachability::PossiblyHeld);
        assert_eq!(Reachability::from_number(200), Reachability::PossiblyHeld);
    }
}
