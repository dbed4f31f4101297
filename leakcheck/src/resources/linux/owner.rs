//! Whose something is: the region that a thread works for, told apart from those that used its account before.

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account;
use leakcheck_ledger::thread::{Thread, working_for};

/// Fits into a word, so that it is noted in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    /// Nothing is noted.
    pub(super) const UNKNOWN: Self = Self(0);
    /// No region's.
    pub(super) const NOBODY: Self = Self(u64::MAX);
    /// leakcheck's own.
    pub(super) const LEAKCHECK: Self = Self(u64::MAX - 1);
    /// It is just going away.
    pub(super) const ENDING: Self = Self(u64::MAX - 2);

    /// That of what a region makes, which must not be over.
    pub(super) fn region(region: RegionId) -> Self {
        let generation = account::get(region).map_or(0, account::Account::generation);
        Self(u64::from(region) << 32 | u64::from(generation))
    }

    /// That of what this thread makes now.
    pub(super) fn here(thread: &Thread) -> Self {
        if thread.untracked.get() {
            return Self::LEAKCHECK;
        }
        match working_for(thread) {
            0 => Self::NOBODY,
            region => Self::region(region),
        }
    }

    pub(super) fn word(self) -> u64 {
        self.0
    }

    pub(super) fn of_word(word: u64) -> Self {
        Self(word)
    }
}
