//! Other things that a region leaves behind: open file descriptors, child processes, a larger C
//! heap.
//!
//! What the region's own threads opened or started is the region's for certain, whatever else runs:
//! [hooks](crate::hooks) record who opened what. What merely appeared while the region was open may
//! be anyone's. It counts where the region was the only one at work, and otherwise the figure is
//! not judged.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;

use leakcheck_ledger::SiteId;

use crate::error::Error;
use crate::options::Options;
use crate::report::Resource;
use crate::verdict::{Figure, Unjudged};

pub(crate) use platform::Baseline;
#[cfg(target_os = "linux")]
pub(crate) use platform::{
    calls_in_progress, keep_call_sites, opened_fds, process, start_own_child, started_children,
};

/// The most entries of a list that are described.
const MOST_LISTED: usize = 100;

/// What a region has left behind by now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resources {
    pub(crate) fds: Handles,
    pub(crate) children: Handles,
    /// Bytes by which the C heap has grown, at least.
    pub(crate) c_heap: Count,
}

/// Descriptors or child processes that a region has left behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handles {
    pub(crate) count: Count,
    /// Their numbers in the system.
    numbers: Vec<i32>,
}

/// How much of a resource a region has left behind, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Known(i64),
    /// There may be more than the region is known to have left.
    NotJudged {
        at_least: i64,
        why: &'static str,
    },
}

/// A descriptor that a region left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fd {
    pub(crate) number: i32,
    /// What it points to, in words.
    pub(crate) target: String,
    /// 0 where that is not known.
    pub(crate) opened_at: SiteId,
}

/// A child process that nobody has waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) pid: i32,
    pub(crate) command: String,
    pub(crate) exited: bool,
    /// 0 where that is not known.
    pub(crate) started_at: SiteId,
}

/// Whether what has a limit can be seen at all.
///
/// # Errors
///
/// When a limit was asked for that could never be exceeded here.
pub(crate) fn can_see(options: &Options) -> Result<(), Error> {
    if options.fds.is_some() && !platform::SEES_HANDLES {
        return Err(Error::left_unseen("fds", "Linux, where open file descriptors can be listed"));
    }
    if options.children.is_some() && !platform::SEES_HANDLES {
        return Err(Error::left_unseen("children", "Linux, where child processes can be listed"));
    }
    if options.c_heap_bytes.is_some() && !platform::sees_c_heap() {
        return Err(Error::left_unseen("c_heap_mb", C_HEAP_NEEDS));
    }
    Ok(())
}

/// What a limit of the C heap needs.
const C_HEAP_NEEDS: &str =
    "glibc 2.33 or later, dynamically linked, which tells how much of its heap is in use";

/// Why nothing is known of the C heap where the C library does not tell.
const C_HEAP_UNSEEN: &str = "the C library does not tell how much of its heap is in use";

impl Resources {
    /// How much of each resource there certainly is, for a check that watches it grow.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Resource, i64)> {
        [
            (Resource::Fds, self.fds.count.at_least()),
            (Resource::Children, self.children.count.at_least()),
            (Resource::CHeap, self.c_heap.at_least()),
        ]
        .into_iter()
    }

    /// The descriptors that are still open, as they are now, up to [`MOST_LISTED`].
    pub(crate) fn open_fds(&self) -> Vec<Fd> {
        let listed = self.fds.numbers.iter().take(MOST_LISTED);
        listed.copied().map(platform::describe_fd).collect()
    }

    /// The children that nobody has waited for, as they are now, up to [`MOST_LISTED`].
    pub(crate) fn unwaited_children(&self) -> Vec<Child> {
        let listed = self.children.numbers.iter().take(MOST_LISTED);
        listed.copied().filter_map(platform::describe_child).collect()
    }

    /// The figures that are not known well enough to be judged.
    pub(crate) fn unjudged(&self) -> Vec<Unjudged> {
        let counts = [
            (Figure::Fds, self.fds.count),
            (Figure::Children, self.children.count),
            (Figure::CHeapBytes, self.c_heap),
        ];
        let unjudged =
            |(figure, count): (Figure, Count)| Some(Unjudged::new(figure, count.not_judged()?));
        counts.into_iter().filter_map(unjudged).collect()
    }
}

impl Count {
    fn none(why: &'static str) -> Self {
        Self::NotJudged { at_least: 0, why }
    }

    /// What it certainly comes to.
    pub(crate) fn at_least(self) -> i64 {
        match self {
            Self::Known(number) | Self::NotJudged { at_least: number, .. } => number,
        }
    }

    /// What it comes to, where that is known.
    pub(crate) fn known(self) -> Option<i64> {
        match self {
            Self::Known(number) => Some(number),
            Self::NotJudged { .. } => None,
        }
    }

    /// Why it may come to more, if it may.
    pub(crate) fn not_judged(self) -> Option<&'static str> {
        match self {
            Self::Known(_) => None,
            Self::NotJudged { why, .. } => Some(why),
        }
    }
}

impl Default for Count {
    fn default() -> Self {
        Self::Known(0)
    }
}
