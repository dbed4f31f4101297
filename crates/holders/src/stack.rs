//! The stack of the calling thread.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::null_mut;

use leakcheck_ledger::live;
use leakcheck_ledger::thread::Untracked;
use leakcheck_ledger::thread::memory::stack_end;

/// A copy of the calling thread's stack, taken before a body runs. A word that has not changed
/// afterwards is not a pointer to one of the body's blocks, and what is below belonged to frames of
/// the body, which have ended.
///
/// The default knows nothing, so that the whole stack counts.
#[derive(Debug, Default)]
pub struct StackSnapshot {
    pub(crate) start: usize,
    pub(crate) words: Vec<usize>,
}

impl StackSnapshot {
    /// The stack of a thread whose routine has returned.
    pub fn of_ended_thread() -> Self {
        Self { start: usize::MAX, words: Vec::new() }
    }

    /// Copies the calling thread's stack from this stack pointer of a calling frame on.
    pub fn from(stack_pointer: usize) -> Self {
        let _quiet = Untracked::new();
        let start = stack_pointer;
        let end = stack_end(start).max(start);
        let words = (start..end).step_by(8).take(MAX_WORDS);
        // SAFETY: the range is the part of the calling thread's stack that is in use, which is
        // readable.
        let words = words.map(|at| unsafe { (at as *const usize).read_volatile() }).collect();
        Self { start, words }
    }

    /// The lowest address of the stack from `low` to `top` that belongs to a frame which is still
    /// there. `stack_pointer` is that of the frame that asks.
    pub(crate) fn first_live(&self, (low, top): (usize, usize), stack_pointer: usize) -> usize {
        match self.start {
            usize::MAX => top,
            // The body may have ended on another thread, or nearer to the end of the stack.
            start if (low..top).contains(&start) && start > stack_pointer => start,
            _ => stack_pointer,
        }
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

/// The stack pointer of the calling function.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let stack_pointer;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reading the register has no side effects.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reading the register has no side effects.
    unsafe {
        std::arch::asm!("mov {}, sp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags));
    }
    stack_pointer
}

/// The registers that the calling function preserves for its own callers, which may hold pointers of
/// theirs.
#[derive(Debug)]
pub struct SavedRegisters {
    pub(crate) words: [usize; 11],
}

impl SavedRegisters {
    /// Reads the registers. Called where judging begins.
    #[inline(always)]
    pub fn now() -> Self {
        let mut words = [0_usize; 11];
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the array has room for the six registers that are stored.
        unsafe {
            std::arch::asm!(
                "mov [{words}], rbx",
                "mov [{words} + 8], rbp",
                "mov [{words} + 16], r12",
                "mov [{words} + 24], r13",
                "mov [{words} + 32], r14",
                "mov [{words} + 40], r15",
                words = in(reg) words.as_mut_ptr(),
                options(nostack, preserves_flags),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the array has room for the eleven registers that are stored.
        unsafe {
            std::arch::asm!(
                "stp x19, x20, [{words}]",
                "stp x21, x22, [{words}, 16]",
                "stp x23, x24, [{words}, 32]",
                "stp x25, x26, [{words}, 48]",
                "stp x27, x28, [{words}, 64]",
                "str x29, [{words}, 80]",
                words = in(reg) words.as_mut_ptr(),
                options(nostack, preserves_flags),
            );
        }
        Self { words }
    }

    /// The addresses of the registers' values.
    pub(crate) fn range(&self) -> Range<usize> {
        let start = self.words.as_ptr().addr();
        start..start + size_of_val(&self.words)
    }
}

/// Clears the unused part of the stack below the calling function's frame, as far as there is room.
///
/// Stale pointers there would seem to hold blocks once another frame covers them.
#[inline(never)]
pub fn clear_dead() {
    const LARGE: usize = 256 << 10;
    const SMALL: usize = 16 << 10;
    if !live::is_thorough() {
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
