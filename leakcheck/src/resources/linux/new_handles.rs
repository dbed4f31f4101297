//! The handles that a region may have left behind.

use super::alone;
use super::owner::Owner;
use crate::resources::{Count, Handles};

/// The handles that a region may have left behind, by number.
#[derive(Debug, Default)]
pub(super) struct NewHandles {
    /// Handles that the region's own threads created.
    owned: Vec<i32>,
    /// Handles that appeared while the region was open and have no recorded owner.
    pub(super) unowned: Vec<i32>,
}

impl NewHandles {
    /// Adds a handle unless it is another region's, or has no recorded owner and is not new.
    pub(super) fn add(
        &mut self,
        number: i32,
        owner: Owner,
        owners: &[Owner],
        is_new: impl FnOnce() -> bool,
    ) {
        if owners.contains(&owner) {
            self.owned.push(number);
        } else if owner == Owner::UNKNOWN && is_new() {
            self.unowned.push(number);
        }
    }

    /// Counts the handles. Those without a recorded owner are the region's if it was `alone`.
    pub(super) fn judge(mut self, alone: impl FnOnce() -> bool) -> Handles {
        let is_known = self.unowned.is_empty() || alone();
        if is_known {
            self.owned.append(&mut self.unowned);
        }
        let number = self.owned.len() as i64;
        let count = match is_known {
            true => Count::Known(number),
            false => Count::NotJudged { at_least: number, why: alone::IN_PARALLEL },
        };
        Handles { count, numbers: self.owned }
    }
}
