//! The thread that reads live bytes, and the list of regions that it reads.

use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account;
use leakcheck_ledger::thread::{self, Thread, Untracked};
#[cfg(unix)]
use leakcheck_system::fork;
use leakcheck_system::fork::ForkMutex;

use super::series::Series;

/// The state that the recorder shares with the threads that open regions.
#[derive(Debug)]
struct Recorder {
    state: ForkMutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    recorded: Vec<Recorded>,
    /// The number of the next recording.
    next: u64,
    /// Recordings with a smaller number belong to the process that this one was forked from. They
    /// are not removed in the fork handler, where the allocator may be locked.
    first: u64,
}

/// Whether the recorder runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    NotStarted,
    Starting,
    Running,
}

/// A recorded region.
#[derive(Debug)]
struct Recorded {
    number: u64,
    region: RegionId,
    opened: Instant,
    series: Series,
}

static RECORDER: Recorder = Recorder {
    state: ForkMutex::new(
        70,
        State { stage: Stage::NotStarted, recorded: Vec::new(), next: 0, first: 0 },
    ),
    changed: Condvar::new(),
};

/// Starts the recorder by `spawn` unless it runs already, and waits until it runs.
///
/// # Errors
///
/// Returns the error of `spawn`.
pub(super) fn start(spawn: fn() -> Result<(), String>) -> Result<(), String> {
    let mut state = RECORDER.lock();
    loop {
        match state.stage {
            Stage::Running => return Ok(()),
            Stage::Starting => state = RECORDER.wait(state),
            Stage::NotStarted => {
                state.stage = Stage::Starting;
                drop(state);
                let spawned = spawn();
                state = RECORDER.lock();
                if spawned.is_err() {
                    state.stage = Stage::NotStarted;
                    RECORDER.changed.notify_all();
                    return spawned;
                }
            }
        }
    }
}

/// Starts to record a region that has just opened, and returns the number of the recording.
pub(super) fn add(region: RegionId, opened: Instant) -> u64 {
    let series = Series::new();
    let mut state = RECORDER.lock();
    let (number, first) = (state.next, state.first);
    state.next += 1;
    state.recorded.retain(|recorded| recorded.number >= first);
    state.recorded.push(Recorded { number, region, opened, series });
    RECORDER.changed.notify_all();
    number
}

/// Ends a recording.
pub(super) fn remove(number: u64) {
    let mut state = RECORDER.lock();
    let at = state.recorded.iter().position(|recorded| recorded.number == number);
    let recorded = at.map(|at| state.recorded.swap_remove(at));
    drop(state);
    drop(recorded);
}

/// Calls `read` with the series of a recording, or returns `None` if this process does not have it.
pub(super) fn series<T>(number: u64, read: impl FnOnce(&Series) -> T) -> Option<T> {
    let state = RECORDER.lock();
    let is_wanted = |recorded: &&Recorded| recorded.number == number && number >= state.first;
    state.recorded.iter().find(is_wanted).map(|recorded| read(&recorded.series))
}

/// The number of threads that the recorder has.
#[cfg(all(target_os = "linux", not(interposed)))]
pub(crate) fn threads() -> u64 {
    u64::from(RECORDER.lock().stage == Stage::Running)
}

/// The body of the recorder's thread, which never ends.
///
/// The thread counts as one that is about to open a region. Otherwise it would be an unowned
/// thread, in whose presence no region is alone.
pub(super) fn run() -> ! {
    let _untracked = Untracked::new();
    thread::with(Thread::before_region_opens);
    let mut state = RECORDER.lock();
    state.stage = Stage::Running;
    RECORDER.changed.notify_all();
    loop {
        let now = Instant::now();
        state = match state.due() {
            None => RECORDER.wait(state),
            Some(due) if due > now => RECORDER.wait_for(state, due - now),
            Some(_) => {
                state.read(now);
                state
            }
        };
    }
}

impl State {
    /// The time of the next reading.
    fn due(&self) -> Option<Instant> {
        let own = self.recorded.iter().filter(|recorded| recorded.number >= self.first);
        own.map(Recorded::due).min()
    }

    fn read(&mut self, now: Instant) {
        for recorded in self.recorded.iter_mut().filter(|recorded| recorded.due() <= now) {
            let Some(account) = account::get(recorded.region) else { continue };
            let (live, peak) = account.live_and_peak_bytes(recorded.region);
            recorded.series.add(now.saturating_duration_since(recorded.opened), live, peak);
        }
    }
}

impl Recorded {
    fn due(&self) -> Instant {
        self.opened + self.series.due()
    }
}

impl Recorder {
    fn lock(&'static self) -> MutexGuard<'static, State> {
        #[cfg(unix)]
        fork::in_child(forked);
        self.state.lock()
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for<'a>(&self, state: MutexGuard<'a, State>, pause: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, pause);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Resets the state in the child of a fork, which has neither the recorder's thread nor the regions
/// that it recorded.
#[cfg(unix)]
fn forked() {
    let mut state = RECORDER.lock();
    state.stage = Stage::NotStarted;
    state.first = state.next;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_cannot_start_is_an_error_and_tried_again() {
        let fails = || Err("the system has no threads left".to_owned());
        assert_eq!(start(fails), Err("the system has no threads left".to_owned()));
        assert_eq!(start(super::super::spawn::spawn), Ok(()));
        // It runs already, so `fails` is not called.
        assert_eq!(start(fails), Ok(()));
    }
}
