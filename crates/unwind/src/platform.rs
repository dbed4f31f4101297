//! The walk with the platform's unwinder.

#[cfg(loaded_symbols)]
use library::each_frame;

/// Calls `each` with each return address, newest first, starting at the frame that contains the
/// stack address `from`. Frames above `base` are omitted unless it is 0. A stack that is above
/// `base` as a whole, such as a signal's or a coroutine's, is included up to where it leads back to
/// the thread's own stack, which follows.
pub(super) fn walk(from: usize, base: usize, mut each: impl FnMut(usize)) {
    let (mut newer, mut below) = (None, false);
    let mut skipping = true;
    each_frame(&mut |at, address| {
        // If frames have no stack address, all are included.
        skipping &= at != 0 && at <= from;
        if skipping {
            newer = Some(address);
            return true;
        }
        newer.take().into_iter().for_each(&mut each);
        below |= at <= base;
        let above = base != 0 && at > base && (below || from <= base);
        if !above {
            each(address);
        }
        !above
    });
    newer.into_iter().for_each(each);
}

/// Calls `each` with the stack pointer and return address of each frame, newest first, until it
/// returns `false`.
#[cfg(not(loaded_symbols))]
fn each_frame(each: &mut dyn FnMut(usize, usize) -> bool) {
    // SAFETY: `trace_unsynchronized` skips the lock of the `backtrace` crate, which protects the
    // platform's symbol engine. On the supported platforms the unwinder does not use it: it only
    // reads the stack of this thread and immutable unwind tables.
    unsafe {
        backtrace::trace_unsynchronized(|frame| each(frame.sp().addr(), frame.ip().addr()));
    }
}

/// The unwinder for panics, which every program contains.
#[cfg(loaded_symbols)]
mod library {
    use std::ffi::{c_int, c_void};

    /// The unwinder's opaque state at a frame.
    #[repr(C)]
    struct Context {
        _private: [u8; 0],
    }

    unsafe extern "C" {
        fn _Unwind_Backtrace(
            trace: unsafe extern "C" fn(*mut Context, *mut c_void) -> c_int,
            argument: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(context: *mut Context) -> usize;
        /// Despite its name, returns the frame's own stack pointer.
        fn _Unwind_GetCFA(context: *mut Context) -> usize;
    }

    type Each<'a> = &'a mut dyn FnMut(usize, usize) -> bool;

    /// Calls `each` with the stack pointer and return address of each frame, newest first, until it
    /// returns `false`.
    pub(super) fn each_frame(mut each: Each<'_>) {
        // SAFETY: `trace` does not unwind, and it receives the pointer to `each` that it expects,
        // which is valid during the call. The unwinder only reads the stack of this thread and
        // unwind tables.
        unsafe { _Unwind_Backtrace(trace, (&raw mut each).cast()) };
    }

    unsafe extern "C" fn trace(context: *mut Context, each: *mut c_void) -> c_int {
        const CONTINUE: c_int = 0;
        const STOP: c_int = 4;
        // SAFETY: the unwinder passes on the pointer from `each_frame`, which borrows the closure
        // exclusively during the walk.
        let each = unsafe { &mut *each.cast::<Each<'_>>() };
        // SAFETY: the unwinder passes a context that is valid during the call.
        let stack_pointer = unsafe { _Unwind_GetCFA(context) };
        // SAFETY: the unwinder passes a context that is valid during the call.
        let address = unsafe { _Unwind_GetIP(context) };
        if each(stack_pointer, address) { CONTINUE } else { STOP }
    }
}
