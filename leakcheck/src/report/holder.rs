//! Who holds the blocks of a call site.

use serde::{Deserialize, Serialize};

use super::CallSite;

pub use crate::holders::Holding;

/// What keeps some blocks of a call site alive, or that nothing does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// What keeps them.
    pub class: Holding,
    /// How many bytes are kept so.
    pub bytes: u64,
    /// How many blocks.
    pub blocks: u64,
    /// The same with all that would go with them: what they dominate. What others hold as well is not
    /// in it.
    pub retained_bytes: u64,
    /// The same in blocks.
    pub retained_blocks: u64,
    /// The way from the holder to one of the blocks, or around the cycle, in words.
    pub path: String,
    /// Where the way begins; none for what is lost.
    pub root: Option<Root>,
    /// The blocks on the way, the one in question last. Around a cycle, that one is first and last.
    pub steps: Vec<Step>,
    /// How many steps in the middle of the way are left out.
    pub omitted_steps: u64,
    /// How many blocks the cycle has; 0 where it is none.
    pub members: u64,
}

/// Where it is known from who holds blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// From a snapshot of the process at the verdict.
    Snapshot,
    /// From one of another process, in which the test was run once more.
    SecondRun,
}

/// What is alive by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Root {
    /// The path of the static or thread-local, with the fields that lead to the pointer; none where
    /// it has no symbol, and for stacks.
    pub name: Option<String>,
    /// The file name of the program or library that a static or thread-local is in.
    pub module: Option<String>,
    /// Where in that module the pointer is.
    pub offset: Option<u64>,
    /// The name of the thread whose thread-local or stack it is.
    pub thread: Option<String>,
    /// Where the thread was started, as `file:line`.
    pub started_at: Option<String>,
}

/// A block on the way from a holder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// The type that it was allocated for, as far as its call site tells.
    #[serde(rename = "type")]
    pub label: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Where it was allocated, as `file:line`.
    pub place: Option<String>,
    /// Where in the holder before it the pointer is, in bytes.
    pub offset: u64,
    /// The fields that lead there, as far as debug information tells.
    pub field: Option<String>,
}

impl CallSite {
    /// How many of its bytes nothing holds any more. Who holds them may be known from a run of fewer
    /// calls: then it is their share.
    pub(crate) fn lost_bytes(&self) -> u64 {
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

    #[test]
    fn what_is_lost_is_a_share_where_another_run_had_fewer_calls() {
        let holder = |class, bytes| Holder {
            class,
            bytes,
            blocks: 1,
            retained_bytes: bytes,
            retained_blocks: 1,
            path: String::new(),
            root: None,
            steps: Vec::new(),
            omitted_steps: 0,
            members: 0,
        };
        let site = |bytes, holders| CallSite {
            bytes,
            blocks: 1,
            frames: Vec::new(),
            omitted_frames: 0,
            growth: None,
            holders,
            site: 0,
        };
        let (lost, held) = (holder(Holding::Lost, 30), holder(Holding::HeldByStatic, 10));
        assert_eq!(site(40, vec![lost.clone(), held.clone()]).lost_bytes(), 30);
        assert_eq!(site(4000, vec![lost, held.clone()]).lost_bytes(), 3000);
        assert_eq!(site(4000, vec![held]).lost_bytes(), 0);
        assert_eq!(site(4000, Vec::new()).lost_bytes(), 0);
    }
}
