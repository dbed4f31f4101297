//! The walk by the platform's unwinder.

/// Gives each return address to `each`, the newest first. Frames up to the stack address `from` are
/// left out, and those above `base`; a `base` of 0 is none.
pub(super) fn walk(from: usize, base: usize, mut each: impl FnMut(usize)) {
    // SAFETY: `trace_unsynchronized` leaves out the lock of the `backtrace` crate, which guards the
    // platform's symbol engine. Walking needs none: on the platforms of this crate the unwinder
    // reads nothing but the stack of this thread and unwind tables that do not change.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            let at = frame.sp().addr();
            if base != 0 && at > base {
                return false;
            }
            // Where frames do not say where they are, all are given.
            if at == 0 || at > from {
                each(frame.ip().addr());
            }
            true
        });
    }
}
