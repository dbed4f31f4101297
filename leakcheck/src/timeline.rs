//! Live bytes over time, where `LEAK_TIMELINE` asks for them.
//!
//! A thread of leakcheck's own reads the live bytes of every recorded region at a fixed interval.
//! The other way would be to note a point whenever a thread tells its region's account what it did.
//! That costs those who allocate, a clock and a lock for every kilobyte that moves and a question
//! where nothing is recorded, and says nothing while nobody allocates. What a thread that only
//! looks can miss is what comes and goes between two looks, and of that the account keeps the peak
//! anyway.
//!
//! The thread is started before the first recorded region opens and then waits while none is open.
//! It allocates nothing and runs no handler of the program's, so that nothing of it is in any
//! figure.

mod recorder;
mod series;
#[allow(unsafe_code, reason = "starts a thread, and blocks signals meanwhile")]
mod spawn;

use std::sync::Once;
use std::time::{Duration, Instant};

use crate::message;
use crate::report::Timeline;
use leakcheck_ledger::RegionId;
use leakcheck_ledger::thread::Untracked;

#[cfg(all(target_os = "linux", not(interposed)))]
pub(crate) use recorder::threads;

/// A region whose live bytes are recorded, until this is dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    number: u64,
}

/// Sees to it that the recorder runs. To be called before a region opens that is to be recorded.
///
/// # Errors
///
/// In words, when there can be no recorder.
pub(crate) fn start() -> Result<(), String> {
    let _untracked = Untracked::new();
    let started = recorder::start(spawn::spawn);
    if let Err(why) = &started {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
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

    /// What was recorded until the region was measured, with the figures of that moment.
    ///
    /// # Errors
    ///
    /// In words, when the region is not recorded any more.
    pub(crate) fn until(&self, at: Duration, live: u64, peak: u64) -> Result<Timeline, String> {
        let _untracked = Untracked::new();
        let timeline = recorder::series(self.number, |series| series.until(at, live, peak));
        timeline
            .ok_or_else(|| "the process is a fork of the one in which it was recorded".to_owned())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _untracked = Untracked::new();
        recorder::remove(self.number);
    }
}
