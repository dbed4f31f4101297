//! The owner of a handle: the region that the creating thread works for.

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account;
use leakcheck_ledger::thread::Thread;

/// An owner in one word, so that it can be stored atomically.
///
/// Region ids are recycled, so the word contains the generation of the region's account as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    /// The creation of the handle was not recorded.
    pub(super) const UNKNOWN: Self = Self(0);
    /// The handle was created outside of all regions.
    pub(super) const NOBODY: Self = Self(u64::MAX);
    /// The handle is one of leakcheck's own.
    pub(super) const LEAKCHECK: Self = Self(u64::MAX - 1);
    /// The handle is being closed.
    pub(super) const CLOSING: Self = Self(u64::MAX - 2);

    /// The owner of what an open region creates.
    pub(super) fn region(region: RegionId) -> Self {
        let generation = account::get(region).map_or(0, account::Account::generation);
        Self(u64::from(region) << 32 | u64::from(generation))
    }

    /// The owner of what the calling thread creates.
    pub(super) fn here(thread: &Thread) -> Self {
        if thread.untracked.get() {
            return Self::LEAKCHECK;
        }
        match thread.current_region() {
            0 => Self::NOBODY,
            region => Self::region(region),
        }
    }

    pub(super) fn to_bits(self) -> u64 {
        self.0
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
