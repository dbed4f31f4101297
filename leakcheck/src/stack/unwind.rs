//! Walks the stack of the calling thread.

use std::ffi::c_void;

/// Fills `frames` with return addresses, the newest first, and returns their number. Frames that
/// lie above the stack address `base` belong to the harness and are left out.
pub(super) fn walk(frames: &mut [usize], base: usize) -> usize {
    let mut count = 0;
    // SAFETY: `trace_unsynchronized` leaves out the lock of the `backtrace` crate, which guards the
    // platform's symbol engine. Walking needs none: on the platforms of this crate the unwinder
    // reads nothing but the stack of this thread and unwind tables that do not change.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            if count == frames.len() || frame.sp() as *const c_void as usize > base {
                return false;
            }
            frames[count] = frame.ip() as usize;
            count += 1;
            true
        });
    }
    count
}
