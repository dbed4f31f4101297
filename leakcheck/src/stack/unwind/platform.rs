//! The walk by the platform's unwinder.

use super::Frames;

pub(super) fn walk(frames: &mut Frames, base: usize) {
    // SAFETY: `trace_unsynchronized` leaves out the lock of the `backtrace` crate, which guards the
    // platform's symbol engine. Walking needs none: on the platforms of this crate the unwinder
    // reads nothing but the stack of this thread and unwind tables that do not change.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            frame.sp().addr() <= base && frames.push(frame.ip().addr())
        });
    }
}
