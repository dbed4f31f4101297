//! The walk by the platform's unwinder.

/// Gives each return address to `each`, the newest first. The newest frames, up to the stack
/// address `from`, are left out, and so are those above `base`, 0 for none. A stack that itself
/// lies above `base`, such as a signal's or a coroutine's, is given too, and the thread's own from
/// where it leads there.
pub(super) fn walk(from: usize, base: usize, mut each: impl FnMut(usize)) {
    let (mut skipping, mut below) = (true, false);
    // SAFETY: `trace_unsynchronized` leaves out the lock of the `backtrace` crate, which guards the
    // platform's symbol engine. Walking needs none: on the platforms of this crate the unwinder
    // reads nothing but the stack of this thread and unwind tables that do not change.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            let at = frame.sp().addr();
            // Where frames do not say where they are, all are given.
            skipping &= at != 0 && at <= from;
            below |= at <= base;
            if base != 0 && at > base && (below || from <= base) {
                return false;
            }
            if !skipping {
                each(frame.ip().addr());
            }
            true
        });
    }
}
