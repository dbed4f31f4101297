//! Live bytes over time, where `LEAK_TIMELINE` asks for them.
//!
//! A thread of leakcheck's own reads the live bytes of every recorded region at a fixed interval.
//! Recording a point whenever a thread updates its region's account instead would cost every
//! allocating thread a clock and a lock, and would record nothing while no thread allocates.
//! Reading at intervals misses growth that is freed before the next reading, except for the peak,
//! which the account keeps.
//!
//! The thread starts before the first recorded region opens and waits while none is open. It
//! allocates nothing and runs none of the program's signal handlers, so it affects no figure.

mod recorder;
mod series;
#[allow(unsafe_code, reason = "starts a thread with its signals blocked")]
mod spawn;

use std::sync::Once;
use std::time::{Duration, Instant};

use leakcheck_ledger::RegionId;
use leakcheck_ledger::thread::Untracked;

use crate::message;
use crate::report::Timeline;

#[cfg(all(target_os = "linux", not(interposed)))]
pub(crate) use recorder::threads;

/// A region whose live bytes are recorded until this value is dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    number: u64,
}

/// Starts the recorder unless it runs already. Called before a recorded region opens.
///
/// # Errors
///
/// Returns the reason why the recorder cannot run.
pub(crate) fn start() -> Result<(), String> {
    let _untracked = Untracked::new();
    let started = recorder::start(spawn::spawn);
    if let Err(why) = &started {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            message::to_stderr(&format!("live bytes over time are not recorded: {why}"));
        });
    }
    started
}

impl Recording {
    /// Records a region that has just opened.
    pub(crate) fn begin(region: RegionId, opened: Instant) -> Self {
        let _untracked = Untracked::new();
        Self { number: recorder::add(region, opened) }
    }

    /// The timeline up to the measurement, whose figures are its last point.
    ///
    /// # Errors
    ///
    /// Returns the reason why the region is no longer recorded.
    pub(crate) fn until(&self, at: Duration, live: u64, peak: u64) -> Result<Timeline, String> {
        let _untracked = Untracked::new();
        let timeline = recorder::series(self.number, |series| series.until(at, live, peak));
        timeline.ok_or_else(|| "this process is a fork of the one that recorded it".to_owned())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _untracked = Untracked::new();
        recorder::remove(self.number);
    }
}
