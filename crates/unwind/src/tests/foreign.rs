//! Stacks with frames that are not Rust's.

use std::ffi::{c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// What a search of the C library calls, and how that ended.
struct Call<'a> {
    then: &'a mut dyn FnMut() -> Vec<usize>,
    end: Option<std::thread::Result<Vec<usize>>>,
}

unsafe extern "C" fn compare(call: *const c_void, _: *const c_void) -> c_int {
    // SAFETY: the search below gives one, and nothing else looks at it meanwhile.
    let call = unsafe { &mut *call.cast_mut().cast::<Call<'_>>() };
    call.end = Some(catch_unwind(AssertUnwindSafe(&mut call.then)));
    0
}

/// Calls `then` through a function of the C library, which signs its return addresses where the
/// processor can.
#[inline(never)]
fn through_the_c_library(then: &mut dyn FnMut() -> Vec<usize>) -> Vec<usize> {
    let mut call = Call { then, end: None };
    let key = (&raw mut call).cast::<c_void>();
    // SAFETY: an array of one byte, which the comparison does not read.
    unsafe { libc::bsearch(key, key, 1, 1, Some(compare)) };
    call.end.expect("it was called").unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[test]
fn frames_of_the_c_library_are_passed() {
    let here = 0_u8;
    let mut walker = Walker::new(&raw const here as usize);
    for seed in 0..500_u64 {
        let seed = next(next(seed));
        wander(seed, 3, &mut || {
            let mut platform = Vec::new();
            let rules = through_the_c_library(&mut || {
                platform = walker.by_platform();
                // Twice, to come back to frames that the walk cache knows.
                _ = walker.by_rules();
                black_box(walker.by_rules())
            });
            // The newest two are the function that called both, and the one that it called.
            let shared = rules.len() - 2;
            assert!(shared >= 6, "{shared} frames");
            assert_eq!(rules[..shared], platform[..shared]);
            assert_eq!(rules.len(), platform.len());
        });
    }
}

static BASE: AtomicUsize = AtomicUsize::new(0);
/// What the walk said in a handler, and what the platform's unwinder said there.
static SEEN: Mutex<Vec<[Vec<usize>; 2]>> = Mutex::new(Vec::new());

extern "C" fn handle(_: c_int) {
    let mut cache = cache();
    let base = BASE.load(Ordering::Relaxed);
    walk_anyhow(&mut cache, &Registers::current(), base);
    let walker = Walker::new(base);
    SEEN.lock().unwrap().push([cache.frames().to_vec(), walker.by_platform()]);
}

#[test]
fn what_a_signal_interrupted_is_seen_from_its_handler() {
    let here = 0_u8;
    BASE.store(&raw const here as usize, Ordering::Relaxed);
    // SAFETY: the handler has the type of handlers, and nothing else here uses the signal.
    unsafe { libc::signal(libc::SIGUSR2, handle as extern "C" fn(c_int) as usize) };
    // SAFETY: the signal has a handler, which runs here and now.
    wander(5, 6, &mut || assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0));
    let seen = SEEN.lock().unwrap();
    let [walked, platform] = &seen[0];
    // The newest is the handler, and on top of it the platform's unwinder has what this called.
    let shared = walked.len() - 1;
    assert!(shared >= 8, "{shared} frames");
    assert_eq!(walked[..shared], platform[..shared]);
    assert_eq!(walked.len() + 1, platform.len());
}

/// Calls a function with a frame pointer, which code that this compiler makes has not.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "sysv64-unwind" fn framed(then: extern "sysv64-unwind" fn(&mut Look), look: &mut Look) {
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
struct Look {
    walker: Walker,
    first: bool,
    stacks: Vec<Vec<usize>>,
}

/// The frame below saves a frame pointer that an older frame is found by, and is returned from to either of
/// two places: the saved pointer is the same, the address is not.
#[test]
#[cfg(target_arch = "x86_64")]
fn an_address_that_changes_beside_a_saved_frame_pointer_is_noticed() {
    extern "sysv64-unwind" fn look(look: &mut Look) {
        let stack = look.walker.by_rules();
        // Without this test's own function, whose loop may have become four calls.
        look.stacks.push(stack[1..].to_vec());
    }
    extern "sysv64-unwind" fn either(to: &mut Look) {
        if to.first {
            black_box(1);
            framed(look, to);
            black_box(2);
        } else {
            black_box(3);
            framed(look, to);
            black_box(4);
        }
    }
    let here = 0_u8;
    let walker = Walker::new(&raw const here as usize);
    let mut to = Look { walker, first: true, stacks: Vec::new() };
    for first in [true, false, true, false] {
        to.first = first;
        framed(either, &mut to);
    }
    let [one, other, again, again_other] = &to.stacks[..] else { panic!("four walks") };
    assert_eq!((one, other), (again, again_other));
    assert_ne!(one, other);
}
