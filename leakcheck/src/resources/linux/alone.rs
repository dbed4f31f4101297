//! Whether a region was the only one active in its process, so that handles without a recorded
//! owner are its own.
//!
//! It was if the test has a process to itself. Otherwise no other region may have been open, no
//! thread of an earlier region may remain, and every thread that was started outside of regions
//! must have opened one since, which the threads of unchecked tests never do.

use std::sync::atomic::{AtomicU64, Ordering};

use leakcheck_ledger::RegionId;
#[cfg(interposed)]
use leakcheck_ledger::thread::{running, unowned};

use crate::settings;
#[cfg(not(interposed))]
use crate::timeline;

/// Why a figure is not judged in a region that was not alone.
pub(crate) const IN_PARALLEL: &str =
    "other tests ran at the same time; run it under nextest or with `--test-threads=1`";

/// The numbers of outermost regions that were opened and closed.
static OPENED: AtomicU64 = AtomicU64::new(0);
static CLOSED: AtomicU64 = AtomicU64::new(0);

/// The state of the process when a region opened.
#[derive(Debug)]
pub(super) struct Since {
    opened: u64,
    #[cfg(interposed)]
    ended: u64,
    /// Only libtest's main thread, the test's and leakcheck's own existed, and libtest runs one
    /// test at a time.
    #[cfg(not(interposed))]
    had_one_test: bool,
}

/// Counts an outermost region that opens.
pub(super) fn opens() {
    OPENED.fetch_add(1, Ordering::SeqCst);
}

/// Counts an outermost region that closes.
pub(super) fn closes() {
    CLOSED.fetch_add(1, Ordering::SeqCst);
}

impl Since {
    /// Reads the state of the process. Called after [`opens`].
    pub(super) fn now() -> Self {
        Self {
            opened: OPENED.load(Ordering::SeqCst),
            #[cfg(interposed)]
            ended: unowned::ended_count(),
            #[cfg(not(interposed))]
            had_one_test: runs_one_test_at_a_time() && threads() <= 2 + timeline::threads(),
        }
    }

    /// Whether no other region has been active since. `owners` are the region and those nested in
    /// it.
    pub(super) fn was_alone(&self, owners: &[RegionId]) -> bool {
        if settings::of_process().is_ok_and(settings::Settings::has_own_process) {
            return true;
        }
        self.was_only_region() && self.without_unowned_threads(owners)
    }

    /// Whether nothing but threads that were started outside of regions keeps this from being true.
    /// A thread that libtest has started for the next test soon waits for this region to close, and
    /// then no longer counts.
    #[cfg(interposed)]
    pub(super) fn awaits_threads(&self, owners: &[RegionId]) -> bool {
        !self.was_alone(owners)
            && self.was_only_region()
            && unowned::ended_count() == self.ended
            && !running::any_outside(owners)
    }

    #[cfg(not(interposed))]
    pub(super) fn awaits_threads(&self, _: &[RegionId]) -> bool {
        false
    }

    fn was_only_region(&self) -> bool {
        let opened = OPENED.load(Ordering::SeqCst);
        opened == self.opened && opened - CLOSED.load(Ordering::SeqCst) == 1
    }

    #[cfg(interposed)]
    fn without_unowned_threads(&self, owners: &[RegionId]) -> bool {
        unowned::ended_count() == self.ended
            && !unowned::any_alive()
            && !running::any_outside(owners)
    }

    #[cfg(not(interposed))]
    fn without_unowned_threads(&self, _: &[RegionId]) -> bool {
        self.had_one_test
    }
}

/// Whether libtest runs one test at a time.
#[cfg(not(interposed))]
fn runs_one_test_at_a_time() -> bool {
    let args: Vec<_> = std::env::args_os().collect();
    args.iter().any(|arg| arg == "--test-threads=1")
        || args.windows(2).any(|pair| pair[0] == "--test-threads" && pair[1] == "1")
        || std::env::var_os("RUST_TEST_THREADS").is_some_and(|threads| threads == "1")
}

/// The number of threads of the process.
#[cfg(not(interposed))]
fn threads() -> u64 {
    use std::os::unix::fs::MetadataExt;
    // A directory has one link for each subdirectory and two for itself.
    std::fs::metadata("/proc/self/task").map_or(u64::MAX, |tasks| tasks.nlink().saturating_sub(2))
}
