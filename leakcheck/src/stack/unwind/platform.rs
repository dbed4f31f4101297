//! The walk by the platform's unwinder.

/// Gives each return address to `each`, the newest first, from the frame on that the stack address `from` lies
/// in. Frames above `base` are left out; 0 is none. A stack that itself lies above `base`, such as a signal's or a
/// coroutine's, is given too, and the thread's own from where it leads there.
pub(super) fn walk(from: usize, base: usize, mut each: impl FnMut(usize)) {
    let (mut newer, mut below) = (None, false);
    let mut skipping = true;
    // SAFETY: `trace_unsynchronized` leaves out the lock of the `backtrace` crate, which guards the
    // platform's symbol engine. Walking needs none: on the platforms of this crate the unwinder
    // reads nothing but the stack of this thread and unwind tables that do not change.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            let at = frame.sp().addr();
            // Where frames do not say where they are, all are given.
            skipping &= at != 0 && at <= from;
            if skipping {
                newer = Some(frame.ip().addr());
                return true;
            }
            newer.take().into_iter().for_each(&mut each);
            below |= at <= base;
            let above = base != 0 && at > base && (below || from <= base);
            if !above {
                each(frame.ip().addr());
            }
            !above
        });
    }
    newer.into_iter().for_each(each);
}
