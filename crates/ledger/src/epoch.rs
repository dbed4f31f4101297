//! What every thread has to keep up with: which regions are open, and which call stacks are captured.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use leakcheck_system::counter::LocalCounter;

use crate::accounts::account::RegionId;

/// How many regions are open. While it is zero nothing is counted.
static OPEN_REGIONS: AtomicU32 = AtomicU32::new(0);

/// The open region of process scope, which every thread without a region of its own works for.
static PROCESS_REGION: AtomicU32 = AtomicU32::new(0);

/// Increases with every change of what threads work for. A thread that has seen the current epoch
/// takes the short path.
pub(crate) static EPOCH: LocalCounter = LocalCounter::new(1);

/// Which blocks have their call stack captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// All.
    Full,
    /// Large ones and a sample of the others.
    Sampled,
    /// None.
    Off,
}

static CAPTURE: AtomicU8 = AtomicU8::new(Capture::Full as u8);

/// Call this after a change of what threads work for.
pub fn changed() {
    EPOCH.atomic().fetch_add(1, Ordering::SeqCst);
}

/// A region was opened; `process` is its id where it is one of process scope.
pub fn opened(process: Option<RegionId>) {
    OPEN_REGIONS.fetch_add(1, Ordering::SeqCst);
    if let Some(region) = process {
        PROCESS_REGION.store(region, Ordering::SeqCst);
    }
    changed();
}

/// A region is about to close; `process` says whether it is one of process scope.
pub fn closes(process: bool) {
    if process {
        PROCESS_REGION.store(0, Ordering::SeqCst);
    }
    OPEN_REGIONS.fetch_sub(1, Ordering::SeqCst);
    changed();
}

/// Whether any region is open.
pub fn any_open() -> bool {
    OPEN_REGIONS.load(Ordering::SeqCst) != 0
}

/// The open region of process scope, 0 for none.
pub(crate) fn process_region() -> RegionId {
    PROCESS_REGION.load(Ordering::SeqCst)
}

/// Sets which call stacks are captured from now on, in the whole process.
pub fn set_capture(capture: Capture) {
    if CAPTURE.swap(capture as u8, Ordering::SeqCst) != capture as u8 {
        changed();
    }
}

/// Which call stacks are captured.
pub fn capture() -> Capture {
    const SAMPLED: u8 = Capture::Sampled as u8;
    const OFF: u8 = Capture::Off as u8;
    match CAPTURE.load(Ordering::SeqCst) {
        SAMPLED => Capture::Sampled,
        OFF => Capture::Off,
        _ => Capture::Full,
    }
}
