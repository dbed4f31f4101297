//! The place of a thread's state.
//!
//! On x86_64 Linux it is a thread-local of our own, two instructions away. The standard library's
//! needs four calls in a build without optimisation, which is what its users' tests are, and every
//! allocation and every free looks here first. Elsewhere it is the standard library's.

use super::Thread;

#[cfg(asm_hot_path)]
std::arch::global_asm!(
    ".section .tbss.leakcheck_thread, \"awT\", @nobits",
    ".globl leakcheck_thread",
    ".hidden leakcheck_thread",
    ".type leakcheck_thread, @object",
    ".size leakcheck_thread, {size}",
    ".balign {align}",
    "leakcheck_thread:",
    ".zero {size}",
    ".previous",
    size = const size_of::<Thread>(),
    align = const align_of::<Thread>(),
);

/// The state of the calling thread. It is not to be kept: the thread may end.
#[cfg(asm_hot_path)]
#[inline(always)]
pub(crate) fn here() -> &'static Thread {
    let place: *const Thread;
    // SAFETY: reads the thread pointer, which the ABI keeps at `fs:0`, and adds the offset at which
    // the dynamic linker has put the variable above in every thread's block (the initial-exec
    // model).
    unsafe {
        std::arch::asm!(
            "mov {place}, fs:0",
            "add {place}, qword ptr [rip + leakcheck_thread@GOTTPOFF]",
            place = out(reg) place,
            options(nostack, pure, readonly),
        );
    }
    // SAFETY: the block of a thread lives as long as the thread, all zeros is a `Thread`, and only
    // its own thread gets here. A `Thread` has no destructor.
    unsafe { &*place }
}

#[cfg(not(asm_hot_path))]
thread_local! {
    static THREAD: Thread = const { Thread::new() };
}

/// The state of the calling thread. It is not to be kept: the thread may end.
#[cfg(not(asm_hot_path))]
#[inline(always)]
pub(crate) fn here() -> &'static Thread {
    let place = THREAD.with(std::ptr::from_ref);
    // SAFETY: the variable has no destructor and lives as long as its thread, and the caller does
    // not keep it.
    unsafe { &*place }
}
