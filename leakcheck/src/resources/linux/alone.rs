//! Whether a region was the only one at work in its process, so that what nobody is known to have made is its own.
//!
//! That is so for certain where the test has a process of its own, or where no other region was open, no thread is
//! left of an earlier one, and every thread that was started outside of regions has opened one since: a test of
//! libtest's without a check never does.

use std::sync::atomic::{AtomicU64, Ordering};

use leakcheck_ledger::RegionId;
#[cfg(interposed)]
use leakcheck_ledger::thread::{running, unowned};

use crate::settings;
#[cfg(not(interposed))]
use crate::timeline;

/// What is said where a region was not alone.
pub(crate) const IN_PARALLEL: &str =
    "not judged in parallel: run under nextest or --test-threads=1";

/// Outermost regions, ever opened and ever closed.
static OPENED: AtomicU64 = AtomicU64::new(0);
static CLOSED: AtomicU64 = AtomicU64::new(0);

/// What was so when a region opened.
#[derive(Debug)]
pub(super) struct Since {
    opened: u64,
    #[cfg(interposed)]
    ended: u64,
    /// There was no thread but libtest's, this one and leakcheck's own, and libtest starts no other meanwhile.
    #[cfg(not(interposed))]
    only_one: bool,
}

/// To be called when an outermost region opens.
pub(super) fn opens() {
    OPENED.fetch_add(1, Ordering::SeqCst);
}

/// To be called when an outermost region closes.
pub(super) fn closes() {
    CLOSED.fetch_add(1, Ordering::SeqCst);
}

impl Since {
    /// To be called after [`opens`].
    pub(super) fn now() -> Self {
        Self {
            opened: OPENED.load(Ordering::SeqCst),
            #[cfg(interposed)]
            ended: unowned::ended_count(),
            #[cfg(not(interposed))]
            only_one: one_at_a_time() && threads() <= 2 + timeline::threads(),
        }
    }

    /// Whether nobody else was at work since then. `owners` are the region and those inside it.
    pub(super) fn was_alone(&self, owners: &[RegionId]) -> bool {
        if settings::of_process().is_ok_and(settings::Settings::has_own_process) {
            return true;
        }
        let opened = OPENED.load(Ordering::SeqCst);
        if opened != self.opened || opened - CLOSED.load(Ordering::SeqCst) != 1 {
            return false;
        }
        self.without_unowned_threads(owners)
    }

    #[cfg(interposed)]
    fn without_unowned_threads(&self, owners: &[RegionId]) -> bool {
        unowned::ended_count() == self.ended
            && !unowned::any_alive()
            && !running::any_of_others(owners)
    }

    #[cfg(not(interposed))]
    fn without_unowned_threads(&self, _: &[RegionId]) -> bool {
        self.only_one
    }
}

/// Whether libtest was asked to run one test at a time.
#[cfg(not(interposed))]
fn one_at_a_time() -> bool {
    let args: Vec<_> = std::env::args_os().collect();
    args.iter().any(|arg| arg == "--test-threads=1")
        || args.windows(2).any(|pair| pair[0] == "--test-threads" && pair[1] == "1")
        || std::env::var_os("RUST_TEST_THREADS").is_some_and(|threads| threads == "1")
}

/// How many threads the process has.
#[cfg(not(interposed))]
fn threads() -> u64 {
    use std::os::unix::fs::MetadataExt;
    // A directory has a link for each directory inside, and two for itself.
    std::fs::metadata("/proc/self/task").map_or(u64::MAX, |tasks| tasks.nlink().saturating_sub(2))
}
