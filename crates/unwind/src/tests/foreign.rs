//! Walks of stacks with frames that are not Rust's.

use std::ffi::{c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// The function to call from a search of the C library, and its result.
struct Call<'a> {
    then: &'a mut dyn FnMut() -> Vec<usize>,
    result: Option<std::thread::Result<Vec<usize>>>,
}

unsafe extern "C" fn compare(call: *const c_void, _: *const c_void) -> c_int {
    // SAFETY: the search below passes a pointer to a `Call` that it borrows exclusively.
    let call = unsafe { &mut *call.cast_mut().cast::<Call<'_>>() };
    call.result = Some(catch_unwind(AssertUnwindSafe(&mut call.then)));
    0
}

/// Calls `then` through a function of the C library, which signs its return addresses if the
/// processor supports that.
#[inline(never)]
fn through_the_c_library(then: &mut dyn FnMut() -> Vec<usize>) -> Vec<usize> {
    let mut call = Call { then, result: None };
    let key = (&raw mut call).cast::<c_void>();
    // SAFETY: the array has one byte, which is part of `call`. The comparison accepts the key that
    // it is passed and does not unwind.
    unsafe { libc::bsearch(key, key, 1, 1, Some(compare)) };
    call.result
        .expect("the search calls it")
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[test]
fn a_walk_passes_frames_of_the_c_library() {
    let local = 0_u8;
    let mut walker = Walker::new(&raw const local as usize);
    for seed in 0..500_u64 {
        let seed = next(next(seed));
        wander(seed, 3, &mut || {
            let mut platform = Vec::new();
            let rules = through_the_c_library(&mut || {
                platform = walker.by_platform();
                // The second walk meets cached frames.
                _ = walker.by_rules();
                black_box(walker.by_rules())
            });
            // The newest two frames are the closure and its callee, which differ.
            let shared = rules.len() - 2;
            assert!(shared >= 6, "{shared} frames");
            assert_eq!(rules[..shared], platform[..shared]);
            assert_eq!(rules.len(), platform.len());
        });
    }
}

static BASE: AtomicUsize = AtomicUsize::new(0);
/// The frames that the walk and the platform's unwinder have found in the handler.
static SEEN: Mutex<Vec<[Vec<usize>; 2]>> = Mutex::new(Vec::new());

extern "C" fn handle(_: c_int) {
    let mut cache = cache();
    let base = BASE.load(Ordering::Relaxed);
    walk_with_fallback(&mut cache, &Registers::current(), base);
    let walker = Walker::new(base);
    SEEN.lock().unwrap().push([cache.frames().to_vec(), walker.by_platform()]);
}

#[test]
fn a_signal_handler_sees_the_interrupted_stack() {
    let local = 0_u8;
    BASE.store(&raw const local as usize, Ordering::Relaxed);
    // SAFETY: the handler has the required signature, and no other test uses the signal.
    unsafe { libc::signal(libc::SIGUSR2, handle as extern "C" fn(c_int) as usize) };
    // SAFETY: the signal has a handler, which runs on this thread before `raise` returns.
    wander(5, 6, &mut || assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0));
    let seen = SEEN.lock().unwrap();
    let [walked, platform] = &seen[0];
    // The newest frame is the handler. The platform's unwinder also sees its callee.
    let shared = walked.len() - 1;
    assert!(shared >= 8, "{shared} frames");
    assert_eq!(walked[..shared], platform[..shared]);
    assert_eq!(walked.len() + 1, platform.len());
}

/// Calls a function with a frame pointer, which rustc does not emit by default.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "sysv64-unwind" fn framed(then: extern "sysv64-unwind" fn(&mut State), state: &mut State) {
    std::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

#[cfg(target_arch = "x86_64")]
struct State {
    walker: Walker,
    first: bool,
    stacks: Vec<Vec<usize>>,
}

/// The frame of `framed` saves a frame pointer on which an older frame depends, and returns to one
/// of two addresses. The saved frame pointer is the same in both cases, but the return address is
/// not.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_changed_address_next_to_an_unchanged_frame_pointer_is_detected() {
    extern "sysv64-unwind" fn walk_once(state: &mut State) {
        let stack = state.walker.by_rules();
        // Skip the test function, because its loop may have been unrolled.
        state.stacks.push(stack[1..].to_vec());
    }
    extern "sysv64-unwind" fn either(to: &mut State) {
        if to.first {
            black_box(1);
            framed(walk_once, to);
            black_box(2);
        } else {
            black_box(3);
            framed(walk_once, to);
            black_box(4);
        }
    }
    let local = 0_u8;
    let walker = Walker::new(&raw const local as usize);
    let mut to = State { walker, first: true, stacks: Vec::new() };
    for first in [true, false, true, false] {
        to.first = first;
        framed(either, &mut to);
    }
    let [one, other, again, again_other] = &to.stacks[..] else { panic!("four walks") };
    assert_eq!((one, other), (again, again_other));
    assert_ne!(one, other);
}
