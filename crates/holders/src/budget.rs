//! The limits that a snapshot's child works within.

/// The resource that ran out before the child had its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Memory,
    Time,
}

/// A limit on the processor time of the calling process.
///
/// Processor time does not pass while other processes run, so a busy machine does not use it up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limit_ms: u64,
}

impl Budget {
    pub(crate) fn new(limit_ms: u64) -> Self {
        Self { limit_ms }
    }

    /// # Errors
    ///
    /// [`Exhausted::Time`] when the process has used up its processor time.
    pub(crate) fn check(self) -> Result<(), Exhausted> {
        match ms_on(libc::CLOCK_PROCESS_CPUTIME_ID) {
            ms if ms > self.limit_ms => Err(Exhausted::Time),
            _ => Ok(()),
        }
    }
}

/// The time on one of the kernel's clocks, in milliseconds.
pub(crate) fn ms_on(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call, and the kernel writes nothing else.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}
