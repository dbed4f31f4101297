//! The thread that reads, and what it is to read.

use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account;
use leakcheck_ledger::thread::{self, Thread, Untracked};
#[cfg(unix)]
use leakcheck_system::fork;
use leakcheck_system::fork::ForkMutex;

use super::series::Series;

/// What the recorder and those who record share.
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
    /// Recordings with a smaller number are of the process that this one is a fork of. They are not
    /// taken out at the fork, when an allocator may not be asked to free anything yet.
    first: u64,
}

/// Whether there is a recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    None,
    Starting,
    Runs,
}

/// One region.
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
        State { stage: Stage::None, recorded: Vec::new(), next: 0, first: 0 },
    ),
    changed: Condvar::new(),
};

/// Starts the thread, by the function given, if it does not run yet, and waits until it does.
///
/// # Errors
///
/// In words, when it cannot be started.
pub(super) fn start(spawn: fn() -> Result<(), String>) -> Result<(), String> {
    let mut state = RECORDER.lock();
    loop {
        match state.stage {
            Stage::Runs => return Ok(()),
            Stage::Starting => state = RECORDER.wait(state),
            Stage::None => {
                state.stage = Stage::Starting;
                drop(state);
                let spawned = spawn();
                state = RECORDER.lock();
                if spawned.is_err() {
                    state.stage = Stage::None;
                    RECORDER.changed.notify_all();
                    return spawned;
                }
            }
        }
    }
}

/// Adds a region that has just opened, and returns the number of its recording.
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

/// Takes a recording out.
pub(super) fn remove(number: u64) {
    let mut state = RECORDER.lock();
    let at = state.recorded.iter().position(|recorded| recorded.number == number);
    let recorded = at.map(|at| state.recorded.swap_remove(at));
    drop(state);
    drop(recorded);
}

/// Looks at the series of a recording. `None` where this process has none of that number.
pub(super) fn series<T>(number: u64, look: impl FnOnce(&Series) -> T) -> Option<T> {
    let state = RECORDER.lock();
    let is_it = |recorded: &&Recorded| recorded.number == number && number >= state.first;
    state.recorded.iter().find(is_it).map(|recorded| look(&recorded.series))
}

/// How many threads of the process are the recorder's.
#[cfg(all(target_os = "linux", not(interposed)))]
pub(crate) fn threads() -> u64 {
    u64::from(RECORDER.lock().stage == Stage::Runs)
}

/// The recorder's thread. It was started outside of regions and opens none, and it is no stranger:
/// nothing that it does is anybody's.
pub(super) fn run() -> ! {
    let _untracked = Untracked::new();
    thread::with(Thread::before_region_opens);
    let mut state = RECORDER.lock();
    state.stage = Stage::Runs;
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
    /// When the next series is to be read.
    fn due(&self) -> Option<Instant> {
        let own = self.recorded.iter().filter(|recorded| recorded.number >= self.first);
        own.map(Recorded::due).min()
    }

    fn read(&mut self, now: Instant) {
        for recorded in self.recorded.iter_mut().filter(|recorded| recorded.due() <= now) {
            let Some(account) = account::get(recorded.region) else { continue };
            let (live, peak) = account.live_and_peak_bytes(recorded.region);
            recorded.series.see(now.saturating_duration_since(recorded.opened), live, peak);
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

/// To be called in the child of a fork: the recorder is not there, and what it read is not the
/// child's.
#[cfg(unix)]
fn forked() {
    let mut state = RECORDER.lock();
    state.stage = Stage::None;
    state.first = state.next;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_cannot_be_started_is_said_and_tried_again() {
        let fails = || Err("the system has no threads left".to_owned());
        assert_eq!(start(fails), Err("the system has no threads left".to_owned()));
        assert_eq!(start(super::super::spawn::spawn), Ok(()));
        // There is one for the process.
        assert_eq!(start(fails), Ok(()));
    }
}
