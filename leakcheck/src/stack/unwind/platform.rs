//! The walk by the platform's unwinder.

/// Gives each return address to `each`, the newest first, until it says `false`. Frames above the
/// stack address `base` are left out; a `base` of 0 is none.
pub(super) fn walk(base: usize, mut each: impl FnMut(usize) -> bool) {
    // SAFETY: `trace_unsynchronized` leaves out the lock of the `backtrace` crate, which guards the
    // platform's symbol engine. Walking needs none: on the platforms of this crate the unwinder
    // reads nothing but the stack of this thread and unwind tables that do not change.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            (base == 0 || frame.sp().addr() <= base) && each(frame.ip().addr())
        });
    }
}
