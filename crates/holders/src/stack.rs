//! The stack of the thread that asks.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use leakcheck_ledger::live;
use leakcheck_ledger::thread::Untracked;

/// The calling thread's stack as it was before a body ran: what is there unchanged afterwards is no
/// pointer to a block of the body's.
#[derive(Debug, Default)]
pub struct StackSnapshot {
    pub(crate) start: usize,
    pub(crate) words: Vec<usize>,
}

impl StackSnapshot {
    /// To be called by the function that runs the body. Empty where nobody will ask.
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
        // SAFETY: the stack in use, from a variable of this function to its end.
        let words = words.map(|at| unsafe { (at as *const usize).read_volatile() }).collect();
        Self { start, words }
    }

    /// Whether the word at an address has a value that it had before.
    #[inline(always)]
    pub(crate) fn had(&self, address: usize, value: usize) -> bool {
        let at = address.wrapping_sub(self.start) / 8;
        at < self.words.len() && self.words[at] == value
    }
}

/// 8 MB of stack.
const MAX_WORDS: usize = 1 << 20;

/// Calls `then` with the registers of the calling function on the stack, and with the address from
/// which on the stack is in use.
#[inline(never)]
pub(crate) fn with_registers<T>(then: impl FnOnce(usize) -> T) -> T {
    let mut registers = [0_usize; 11];
    #[cfg(target_arch = "x86_64")]
    // SAFETY: writes six registers to an array that is large enough.
    unsafe {
        std::arch::asm!(
            "mov [{place}], rbx",
            "mov [{place} + 8], rbp",
            "mov [{place} + 16], r12",
            "mov [{place} + 24], r13",
            "mov [{place} + 32], r14",
            "mov [{place} + 40], r15",
            place = in(reg) registers.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: writes eleven registers to an array that is large enough.
    unsafe {
        std::arch::asm!(
            "stp x19, x20, [{place}]",
            "stp x21, x22, [{place}, 16]",
            "stp x23, x24, [{place}, 32]",
            "stp x25, x26, [{place}, 48]",
            "stp x27, x28, [{place}, 64]",
            "str x29, [{place}, 80]",
            place = in(reg) registers.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
    let place = black_box(&registers).as_ptr() as usize;
    let value = then(place);
    black_box(&registers);
    value
}

/// Clears what functions that have returned have left below the calling function's frame: a pointer
/// among it would look like a holder once another frame lies there. As deep as there is room for.
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

/// How much of the calling thread's stack is left.
fn room() -> usize {
    let here = 0_u8;
    bounds().map_or(0, |(low, _)| (&raw const here as usize).saturating_sub(low))
}

/// Where the calling thread's stack begins in memory, and how many bytes it may have.
fn bounds() -> Option<(usize, usize)> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: asks which thread this is.
    let own = unsafe { libc::pthread_self() };
    // SAFETY: asks for the attributes of a thread that lives, to be written there.
    if unsafe { libc::pthread_getattr_np(own, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut start, mut size) = (null_mut(), 0);
    // SAFETY: the attributes were written above.
    let known =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size) } == 0;
    // SAFETY: as above; they are used no more.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    known.then(|| (start.addr(), size))
}
