//! The tag that is stored in a block's header.

use super::account::RegionId;
use super::record::Record;

/// The owner and call site of a block. It stays in the block's header for the life of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Tag(*const Record);

impl Tag {
    /// The tag of a block that no region owns.
    pub(crate) const UNOWNED: Self = Self(std::ptr::null());
    /// The tag of one of leakcheck's own blocks, which appear in no figure.
    pub(crate) const UNTRACKED: Self = Self(std::ptr::without_provenance(Self::LAST_CONSTANT));
    /// The largest value that is not the address of a record.
    pub(crate) const LAST_CONSTANT: usize = 1;

    #[inline(always)]
    pub(crate) fn of(record: &'static Record) -> Self {
        Self(record)
    }

    #[inline(always)]
    pub(crate) fn record(self) -> Option<&'static Record> {
        // A comparison of numbers is not a call in an unoptimized build.
        if self.0 as usize <= Self::LAST_CONSTANT {
            return None;
        }
        // SAFETY: any value above the constants was a `&'static Record` in `of`.
        Some(unsafe { &*self.0 })
    }

    /// Returns whether the block is one of leakcheck's own.
    #[cfg(holders)]
    pub fn is_untracked(self) -> bool {
        self == Self::UNTRACKED
    }

    /// Returns the region that owns the block, 0 if there is none.
    pub fn owner(self) -> RegionId {
        self.record().map_or(0, Record::owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_no_record() {
        assert!(Tag::UNOWNED.record().is_none() && Tag::UNTRACKED.record().is_none());
        assert_eq!((Tag::UNOWNED.owner(), Tag::UNTRACKED.owner()), (0, 0));
    }
}
