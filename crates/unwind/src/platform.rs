//! The walk by the platform's unwinder.

#[cfg(loaded_symbols)]
use library::each_frame;

/// Gives each return address to `each`, the newest first, from the frame on that the stack address `from` lies
/// in. Frames above `base` are left out; 0 is none. A stack that itself lies above `base`, such as a signal's or a
/// coroutine's, is given too, and the thread's own from where it leads there.
pub(super) fn walk(from: usize, base: usize, mut each: impl FnMut(usize)) {
    let (mut newer, mut below) = (None, false);
    let mut skipping = true;
    each_frame(&mut |at, address| {
        // Where frames do not say where they are, all are given.
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

/// Gives each frame's stack pointer and return address, the newest first, until there is an answer of `false`.
#[cfg(not(loaded_symbols))]
fn each_frame(each: &mut dyn FnMut(usize, usize) -> bool) {
    // SAFETY: `trace_unsynchronized` leaves out the lock of the `backtrace` crate, which guards the
    // platform's symbol engine. Walking needs none: on the platforms of this crate the unwinder
    // reads nothing but the stack of this thread and unwind tables that do not change.
    unsafe {
        backtrace::trace_unsynchronized(|frame| each(frame.sp().addr(), frame.ip().addr()));
    }
}

/// The unwinder that panics use, which every program has.
#[cfg(loaded_symbols)]
mod library {
    use std::ffi::{c_int, c_void};

    /// A frame, as the unwinder sees it.
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
        /// Despite its name, the frame's own stack pointer.
        fn _Unwind_GetCFA(context: *mut Context) -> usize;
    }

    type Each<'a> = &'a mut dyn FnMut(usize, usize) -> bool;

    /// Gives each frame's stack pointer and return address, the newest first, until there is an answer of `false`.
    pub(super) fn each_frame(mut each: Each<'_>) {
        // SAFETY: `trace` does not unwind, and gets what it expects. On these platforms the unwinder
        // reads nothing but the stack of this thread and unwind tables that do not change.
        unsafe { _Unwind_Backtrace(trace, (&raw mut each).cast()) };
    }

    unsafe extern "C" fn trace(context: *mut Context, each: *mut c_void) -> c_int {
        const GO_ON: c_int = 0;
        const STOP: c_int = 4;
        // SAFETY: the unwinder hands on what `each_frame` gave it, which nobody else uses meanwhile.
        let each = unsafe { &mut *each.cast::<Each<'_>>() };
        // SAFETY: the unwinder calls with the context of a frame.
        let stack_pointer = unsafe { _Unwind_GetCFA(context) };
        // SAFETY: as above.
        let address = unsafe { _Unwind_GetIP(context) };
        if each(stack_pointer, address) { GO_ON } else { STOP }
    }
}
