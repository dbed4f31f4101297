//! A distinct call stack that retains memory.

use serde::Serialize;

use crate::amount::Amount;
use crate::frame::Frame;
use crate::holder::Holder;
use crate::repetition::Growing;

/// A distinct call stack that retains memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct CallSite {
    /// Bytes that it retains.
    pub bytes: u64,
    /// Blocks that it retains.
    pub blocks: u64,
    /// The call stack, the allocation first and the test's body last.
    pub frames: Vec<Frame>,
    /// How many frames of a deep recursion are missing between the newest and the oldest. One call
    /// site stands for all depths from there on; this is the number of the first of them.
    pub omitted_frames: u64,
    /// How it grew over the batches of a repeated body, if it did.
    #[serde(default)]
    pub growth: Option<Growing>,
    /// What keeps the blocks alive, the most bytes first; empty where it is not known.
    #[serde(default)]
    pub holders: Vec<Holder>,
}

impl CallSite {
    /// A call stack and what it retains.
    pub fn new(retained: Amount, frames: Vec<Frame>) -> Self {
        Self { bytes: retained.bytes, blocks: retained.blocks, frames, ..Self::default() }
    }

    /// How many of its bytes are lost. What keeps blocks alive may be known from a run with fewer
    /// iterations: then this is their share.
    pub fn lost_bytes(&self) -> u64 {
        let sum = |lost_only: bool| -> u128 {
            let holders = self.holders.iter().filter(|it| !lost_only || it.class.is_lost());
            holders.map(|holder| u128::from(holder.bytes)).sum()
        };
        let share = u128::from(self.bytes) * sum(true) / sum(false).max(1);
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holder::Reachability;

    #[test]
    fn lost_bytes_are_a_share_where_another_run_had_fewer_iterations() {
        let holder = |class, bytes| Holder::new(class, Amount { bytes, blocks: 1 });
        let site = |bytes, holders| CallSite { bytes, blocks: 1, holders, ..CallSite::default() };
        let (lost, held) = (holder(Reachability::Lost, 30), holder(Reachability::HeldByStatic, 10));
        assert_eq!(site(40, vec![lost.clone(), held.clone()]).lost_bytes(), 30);
        assert_eq!(site(4000, vec![lost, held.clone()]).lost_bytes(), 3000);
        assert_eq!(site(4000, vec![held]).lost_bytes(), 0);
        assert_eq!(site(4000, Vec::new()).lost_bytes(), 0);
    }
}
