//! The handles that a region may have left behind.

use std::io;

use super::alone;
use super::owner::Owner;
use super::proc::unreadable;
use crate::resources::{Count, Handles};

/// The handles that a region may have left behind, by number.
#[derive(Debug, Default)]
pub(super) struct NewHandles {
    /// Handles that the region's own threads created.
    owned: Vec<i32>,
    /// Handles that appeared while the region was open and have no recorded owner.
    pub(super) unowned: Vec<i32>,
    /// Why there may be more.
    incomplete: Option<String>,
}

impl NewHandles {
    /// Handles that were recorded for the region, where they cannot be listed.
    pub(super) fn only_recorded(owned: Vec<i32>, why: String) -> Self {
        Self { owned, unowned: Vec::new(), incomplete: Some(why) }
    }

    /// Handles without a recorded owner.
    pub(super) fn only_unowned(unowned: Vec<i32>) -> Self {
        Self { unowned, ..Self::default() }
    }

    /// Adds a handle unless it is another region's, or has no recorded owner and is not new.
    /// Without a baseline it is not known which handles are new.
    pub(super) fn add(
        &mut self,
        number: i32,
        owner: Owner,
        owners: &[Owner],
        is_new: impl FnOnce() -> Option<bool>,
    ) {
        if owners.contains(&owner) {
            self.owned.push(number);
        } else if owner == Owner::UNKNOWN && is_new() != Some(false) {
            self.unowned.push(number);
        }
    }

    /// Says why handles without a recorded owner cannot be told from those that existed before.
    pub(super) fn without_baseline(&mut self, path: &str, error: &io::Error) {
        if !self.unowned.is_empty() {
            self.unowned.clear();
            self.incomplete = Some(unreadable(path, error));
        }
    }

    /// Counts the handles. Those without a recorded owner are the region's if it was `alone`.
    pub(super) fn judge(mut self, alone: impl FnOnce() -> bool) -> Handles {
        let is_attributed = self.unowned.is_empty() || alone();
        if is_attributed {
            self.owned.append(&mut self.unowned);
        }
        let at_least = self.owned.len() as i64;
        let count = match self.incomplete {
            Some(why) => Count::NotJudged { at_least, why: why.into() },
            None if is_attributed => Count::Known(at_least),
            None => Count::NotJudged { at_least, why: alone::IN_PARALLEL.into() },
        };
        Handles { count, numbers: self.owned }
    }
}
