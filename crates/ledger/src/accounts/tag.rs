//! What is kept with a block.

use super::account::RegionId;
use super::record::Record;

/// Who owns a block and where it came from; kept with the block for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Tag(*const Record);

impl Tag {
    /// No region's.
    pub(crate) const UNOWNED: Self = Self(std::ptr::null());
    /// leakcheck's own, which no figure ever shows.
    pub(crate) const UNTRACKED: Self = Self(std::ptr::without_provenance(Self::LAST_CONSTANT));
    /// No record lies at an address up to here.
    pub(crate) const LAST_CONSTANT: usize = 1;

    #[inline(always)]
    pub(crate) fn of(record: &'static Record) -> Self {
        Self(record)
    }

    #[inline(always)]
    pub(crate) fn record(self) -> Option<&'static Record> {
        // Compared as a number: in a build without optimisation all else is a call.
        if self.0 as usize <= Self::LAST_CONSTANT {
            return None;
        }
        // SAFETY: it is neither of the constants above, so it was made of a reference that is good
        // for ever.
        Some(unsafe { &*self.0 })
    }

    #[cfg(holders)]
    pub fn is_untracked(self) -> bool {
        self == Self::UNTRACKED
    }

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
