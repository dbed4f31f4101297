//! The resources other than memory that a region leaves behind: threads that no hook follows, open
//! file descriptors, child processes, and growth of the C heap.
//!
//! [Hooks](crate::hooks) record which region opened a descriptor or started a child, so those of
//! the region's own threads are attributed to it even when tests run in parallel. A handle without
//! a recorded owner may belong to any code in the process. It counts if the region was the only
//! active one; otherwise the figure is not judged.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod handles;
#[cfg(target_os = "linux")]
#[cfg_attr(not(tracks_handles), allow(dead_code, reason = "only hooks record handles"))]
mod linux;

use leakcheck_ledger::thread::running::RunningThread;
use leakcheck_report::{Figure, Limits, Unjudged};

use crate::error::Error;
use crate::report::Resource;
#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;

pub(crate) use handles::{Child, Count, Fd, Handles};
pub(crate) use platform::Baseline;
#[cfg(interposed)]
pub(crate) use platform::process;
#[cfg(target_os = "linux")]
pub(crate) use platform::start_own_child;
#[cfg(tracks_handles)]
pub(crate) use platform::{calls_in_progress, keep_call_sites, opened_fds, started_children};

/// The maximum number of handles of each kind that are described.
const MAX_LISTED: usize = 300;

/// The resources that a region has left behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resources {
    /// Threads that were started by other means than the program's `pthread_create`.
    pub(crate) unfollowed_threads: Handles,
    pub(crate) fds: Handles,
    pub(crate) children: Handles,
    /// The growth of the C heap in bytes, at least.
    pub(crate) c_heap: Count,
}

/// Checks that this build can know every figure that has a limit.
///
/// # Errors
///
/// Fails for a limit that could never be exceeded here.
pub(crate) fn can_judge(limits: &Limits) -> Result<(), Error> {
    let needs = [
        (Figure::Threads, cfg!(interposed), THREADS_NEED),
        (Figure::Fds, platform::SEES_HANDLES, "Linux, where open file descriptors can be listed"),
        (Figure::Children, platform::SEES_HANDLES, "Linux, where child processes can be listed"),
        (Figure::CHeapBytes, platform::sees_c_heap(), C_HEAP_NEEDS),
        (Figure::LostBytes, leakcheck_holders::CAN_EXPLAIN, "Linux with glibc"),
    ];
    for (figure, is_seen, needs) in needs {
        if let Some(limit) = limits.of(figure)
            && !is_seen
        {
            return Err(Error::unseen(figure, limit, needs));
        }
    }
    Ok(())
}

/// What a limit on threads requires.
const THREADS_NEED: &str = "threads to be followed, which works on Linux (glibc, dynamically \
                            linked) with the feature `threads` of leakcheck";

/// What a limit on the C heap requires.
const C_HEAP_NEEDS: &str =
    "glibc 2.33 or later, dynamically linked, which reports how much of its heap is in use";

/// Why the C heap is not judged where the C library does not report its size.
const C_HEAP_UNSEEN: &str = "the C library does not report how much of its heap is in use";

impl Resources {
    /// The amount of each resource that is attributed to the region, for checks that repeat a body.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Resource, i64)> {
        [
            (Resource::Fds, self.fds.count.at_least()),
            (Resource::Children, self.children.count.at_least()),
            (Resource::CHeap, self.c_heap.at_least()),
        ]
        .into_iter()
    }

    /// The threads that no hook follows, with their names.
    pub(crate) fn unfollowed_threads(&self) -> Vec<RunningThread> {
        let tids = self.unfollowed_threads.numbers.iter().copied();
        tids.map(platform::describe_thread).collect()
    }

    /// Describes the open descriptors, up to [`MAX_LISTED`].
    pub(crate) fn open_fds(&self) -> Vec<Fd> {
        let listed = self.fds.numbers.iter().take(MAX_LISTED);
        listed.copied().map(platform::describe_fd).collect()
    }

    /// Describes the children that have not been waited for, up to [`MAX_LISTED`].
    pub(crate) fn unwaited_children(&self) -> Vec<Child> {
        let listed = self.children.numbers.iter().take(MAX_LISTED);
        listed.copied().filter_map(platform::describe_child).collect()
    }

    /// The figures that cannot be judged, with the reasons.
    pub(crate) fn unjudged(&self) -> Vec<Unjudged> {
        let counts = [
            (Figure::Threads, &self.unfollowed_threads.count),
            (Figure::Fds, &self.fds.count),
            (Figure::Children, &self.children.count),
            (Figure::CHeapBytes, &self.c_heap),
        ];
        let unjudged =
            |(figure, count): (Figure, &Count)| Some(Unjudged::new(figure, count.not_judged()?));
        counts.into_iter().filter_map(unjudged).collect()
    }
}
