//! The stack of the calling thread.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use leakcheck_ledger::live;
use leakcheck_ledger::thread::Untracked;

/// A copy of the calling thread's stack, taken before a body runs. A word that has not changed
/// afterwards is not a pointer to one of the body's blocks.
#[derive(Debug, Default)]
pub struct StackSnapshot {
    pub(crate) start: usize,
    pub(crate) words: Vec<usize>,
}

impl StackSnapshot {
    /// Copies the stack. Called by the function that runs the body. The copy is empty if blocks are
    /// not listed, because there will be no snapshot.
    #[inline(never)]
    pub fn now() -> Self {
        if !live::is_enabled() {
            return Self::default();
        }
        let _quiet = Untracked::new();
        let here = 0_usize;
        let start = &raw const here as usize;
        let end = bounds().map_or(start, |(low, size)| low + size);
        let words = (start..end).step_by(8).take(MAX_WORDS);
        // SAFETY: the range is the part of the calling thread's stack that is in use, which is
        // readable.
        let words = words.map(|at| unsafe { (at as *const usize).read_volatile() }).collect();
        Self { start, words }
    }

    /// Whether the word at an address had this value when the stack was copied.
    #[inline(always)]
    pub(crate) fn had(&self, address: usize, value: usize) -> bool {
        let at = address.wrapping_sub(self.start) / 8;
        at < self.words.len() && self.words[at] == value
    }
}

/// The maximum size of a copy: 8 MiB.
const MAX_WORDS: usize = 1 << 20;

/// Stores the callee-saved registers of the calling function on the stack, and calls `then` with the
/// address from which the stack must be scanned to include them.
#[inline(never)]
pub(crate) fn with_registers<T>(then: impl FnOnce(usize) -> T) -> T {
    let mut registers = [0_usize; 11];
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the array has room for the six registers that are stored.
    unsafe {
        std::arch::asm!(
            "mov [{registers}], rbx",
            "mov [{registers} + 8], rbp",
            "mov [{registers} + 16], r12",
            "mov [{registers} + 24], r13",
            "mov [{registers} + 32], r14",
            "mov [{registers} + 40], r15",
            registers = in(reg) registers.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the array has room for the eleven registers that are stored.
    unsafe {
        std::arch::asm!(
            "stp x19, x20, [{registers}]",
            "stp x21, x22, [{registers}, 16]",
            "stp x23, x24, [{registers}, 32]",
            "stp x25, x26, [{registers}, 48]",
            "stp x27, x28, [{registers}, 64]",
            "str x29, [{registers}, 80]",
            registers = in(reg) registers.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
    let stack_pointer = black_box(&registers).as_ptr() as usize;
    let value = then(stack_pointer);
    black_box(&registers);
    value
}

/// Clears the unused part of the stack below the calling function's frame, as far as there is room.
///
/// Stale pointers there would seem to hold blocks once another frame covers them.
#[inline(never)]
pub fn clear_dead() {
    const LARGE: usize = 256 << 10;
    const SMALL: usize = 16 << 10;
    if !live::is_enabled() {
        return;
    }
    let room = room();
    if room > 2 * LARGE {
        overwrite::<LARGE>();
    } else if room > 2 * SMALL {
        overwrite::<SMALL>();
    }
}

#[inline(never)]
fn overwrite<const BYTES: usize>() {
    let nothing = [0_u8; BYTES];
    black_box(&nothing);
}

/// The number of unused bytes on the calling thread's stack.
fn room() -> usize {
    let here = 0_u8;
    bounds().map_or(0, |(low, _)| (&raw const here as usize).saturating_sub(low))
}

/// The lowest address of the calling thread's stack, and its size.
fn bounds() -> Option<(usize, usize)> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `pthread_self` has no preconditions.
    let own = unsafe { libc::pthread_self() };
    // SAFETY: the calling thread is alive, and `attributes` has room for its attributes.
    if unsafe { libc::pthread_getattr_np(own, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut start, mut size) = (null_mut(), 0);
    // SAFETY: `pthread_getattr_np` succeeded, so it has initialized the attributes.
    let known =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size) } == 0;
    // SAFETY: the attributes are initialized and not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    known.then(|| (start.addr(), size))
}
