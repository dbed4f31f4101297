//! The thread-local variable that holds a thread's state.
//!
//! On x86_64 Linux the variable is defined in assembly and accessed in two instructions, because
//! every allocation and every free reads it. `std::thread_local!` takes four calls in unoptimized
//! builds, which is how most tests are built. Other targets use it.

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

/// See [`thread::current`](super::current).
#[cfg(asm_hot_path)]
#[inline(always)]
pub(super) fn current() -> &'static Thread {
    let thread: *const Thread;
    // SAFETY: the ABI keeps the thread pointer at `fs:0`, and in the initial-exec model the dynamic
    // linker stores the variable's offset from it in the global offset table. The code only reads
    // these two words.
    unsafe {
        std::arch::asm!(
            "mov {thread}, fs:0",
            "add {thread}, qword ptr [rip + leakcheck_thread@GOTTPOFF]",
            thread = out(reg) thread,
            options(nostack, pure, readonly),
        );
    }
    // SAFETY: the variable has the size and alignment of a `Thread`, all zeros is a valid `Thread`,
    // and only this thread accesses it. It has no destructor and lives as long as the thread, and
    // callers do not keep the reference longer.
    unsafe { &*thread }
}

#[cfg(not(asm_hot_path))]
thread_local! {
    static THREAD: Thread = const { Thread::new() };
}

/// See [`thread::current`](super::current).
#[cfg(not(asm_hot_path))]
#[inline(always)]
pub(super) fn current() -> &'static Thread {
    let thread = THREAD.with(std::ptr::from_ref);
    // SAFETY: the variable has no destructor and lives as long as the thread, and callers do not
    // keep the reference longer.
    unsafe { &*thread }
}
