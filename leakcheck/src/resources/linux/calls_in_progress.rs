//! Calls in progress: the handles that they create may exist before they are recorded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use leakcheck_ledger::epoch;

use super::new_handles::NewHandles;

/// The number of times that handles are listed again before unrecorded ones are accepted.
const MAX_RETRIES: usize = 50;
/// The pause before each retry.
const PAUSE: Duration = Duration::from_micros(200);

/// The number of calls of one kind that are in progress.
pub(crate) struct CallsInProgress(AtomicUsize);

/// Calls that open descriptors.
pub(crate) static OPENING: CallsInProgress = CallsInProgress(AtomicUsize::new(0));
/// Calls that start child processes.
pub(crate) static STARTING: CallsInProgress = CallsInProgress(AtomicUsize::new(0));

impl CallsInProgress {
    /// Counts a call that is about to begin and returns whether it was counted. Calls that may
    /// block are not counted, because [`retry`](Self::retry) waits for all that are.
    #[inline(always)]
    pub(crate) fn begin(&self) -> bool {
        let is_counted = epoch::any_region_open();
        if is_counted {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        is_counted
    }

    /// Ends a call whose handles are recorded, given what [`begin`](Self::begin) returned.
    #[inline(always)]
    pub(crate) fn end(&self, is_counted: bool) {
        if is_counted {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Lists handles again while some have no recorded owner and a call in progress may be about to
    /// record it.
    pub(super) fn retry(&self, list: impl Fn() -> NewHandles) -> NewHandles {
        for _ in 0..MAX_RETRIES {
            let handles = list();
            if handles.unowned.is_empty() || self.0.load(Ordering::SeqCst) == 0 {
                return handles;
            }
            sleep(PAUSE);
        }
        list()
    }
}

/// Forgets all calls. Called in the child of a fork, where the threads that made them do not exist.
pub(crate) fn forget() {
    for calls in [&OPENING, &STARTING] {
        calls.0.store(0, Ordering::SeqCst);
    }
}
