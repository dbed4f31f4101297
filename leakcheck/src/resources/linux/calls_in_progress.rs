//! Calls under way: what they have made may be there already and yet to be noted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::Found;
use leakcheck_ledger::epoch;

/// How often, and how long in between, it is looked for what is yet to be noted.
const MOST_LOOKS: usize = 50;
const PAUSE: Duration = Duration::from_micros(200);

/// How many calls of one kind are under way.
pub(crate) struct Calls(AtomicUsize);

/// Those that open descriptors.
pub(crate) static OPENING: Calls = Calls(AtomicUsize::new(0));
/// Those that start child processes.
pub(crate) static STARTING: Calls = Calls(AtomicUsize::new(0));

impl Calls {
    /// A call begins that will soon be over. This says whether somebody wants to know of its end.
    #[inline(always)]
    pub(crate) fn begins(&self) -> bool {
        let watched = epoch::any_open();
        if watched {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        watched
    }

    /// The call is over, and what it has made is noted.
    #[inline(always)]
    pub(crate) fn ends(&self, watched: bool) {
        if watched {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Looks again while something is not known and a call is under way that may be about to note it.
    pub(super) fn retry(&self, look: impl Fn() -> Found) -> Found {
        for _ in 0..MOST_LOOKS {
            let found = look();
            if found.unclear.is_empty() || self.0.load(Ordering::SeqCst) == 0 {
                return found;
            }
            sleep(PAUSE);
        }
        look()
    }
}

/// To be called in the child of a fork, which the calls of other threads are not in.
pub(crate) fn forget() {
    for calls in [&OPENING, &STARTING] {
        calls.0.store(0, Ordering::SeqCst);
    }
}
