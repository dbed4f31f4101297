//! Process-wide state that decides what an allocator event has to do: the open regions and the
//! capture mode.
//!
//! Threads cache what they derive from this state, and derive it again when `EPOCH` has changed.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use leakcheck_system::counter::LocalCounter;

use crate::accounts::account::RegionId;

/// The number of open regions. While it is zero, nothing is counted.
static OPEN_REGIONS: AtomicU32 = AtomicU32::new(0);

/// The open region of process scope, to which threads without a region of their own belong.
static PROCESS_REGION: AtomicU32 = AtomicU32::new(0);

/// Increases whenever the region of any thread may have changed. A thread that has seen the current
/// epoch takes the fast path.
pub(crate) static EPOCH: LocalCounter = LocalCounter::new(1);

/// Which blocks have their call stack captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureMode {
    /// All blocks.
    Full,
    /// Large blocks and a sample of the others.
    Sampled,
    /// No blocks.
    Off,
}

static CAPTURE_MODE: AtomicU8 = AtomicU8::new(CaptureMode::Full as u8);

/// Makes every thread determine its region again at its next allocator event.
pub fn advance() {
    EPOCH.as_atomic().fetch_add(1, Ordering::SeqCst);
}

/// Records that a region was opened. `process` is its id if it has process scope.
pub fn region_opened(process: Option<RegionId>) {
    OPEN_REGIONS.fetch_add(1, Ordering::SeqCst);
    if let Some(region) = process {
        PROCESS_REGION.store(region, Ordering::SeqCst);
    }
    advance();
}

/// Records that a region is about to close. `process` is whether it has process scope.
pub fn region_closing(process: bool) {
    if process {
        PROCESS_REGION.store(0, Ordering::SeqCst);
    }
    OPEN_REGIONS.fetch_sub(1, Ordering::SeqCst);
    advance();
}

/// Returns whether any region is open.
pub fn any_region_open() -> bool {
    OPEN_REGIONS.load(Ordering::SeqCst) != 0
}

/// Returns the open region of process scope, 0 if there is none.
pub(crate) fn process_region() -> RegionId {
    PROCESS_REGION.load(Ordering::SeqCst)
}

/// Sets which call stacks the whole process captures from now on.
pub fn set_capture_mode(mode: CaptureMode) {
    if CAPTURE_MODE.swap(mode as u8, Ordering::SeqCst) != mode as u8 {
        advance();
    }
}

/// Returns which call stacks are captured.
pub fn capture_mode() -> CaptureMode {
    const SAMPLED: u8 = CaptureMode::Sampled as u8;
    const OFF: u8 = CaptureMode::Off as u8;
    match CAPTURE_MODE.load(Ordering::SeqCst) {
        SAMPLED => CaptureMode::Sampled,
        OFF => CaptureMode::Off,
        _ => CaptureMode::Full,
    }
}
