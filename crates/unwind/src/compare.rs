//! Compares every walk of a program with the platform's unwinder, if `RUSTFLAGS` contains
//! `--cfg leakcheck_compare`.
//!
//! When the process exits, the result is appended to the file that `LEAKCHECK_COMPARED` names: a
//! line with the number of frames and of those that differ, followed by the first stacks that
//! differ.

use std::ffi::{CStr, c_void};
use std::fs::OpenOptions;
use std::io::Write;
use std::mem::MaybeUninit;
use std::ptr::without_provenance_mut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use crate::platform;
use crate::registers::Registers;
use crate::walk_cache::WalkCache;

static FRAMES: AtomicU64 = AtomicU64::new(0);
static DIFFERENT: AtomicU64 = AtomicU64::new(0);
static STACKS: AtomicU64 = AtomicU64::new(0);
static EXAMPLES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Walks the stack again and counts the frames that differ from those in the walk cache.
pub(super) fn with_platform(cache: &WalkCache, from: &Registers, base: usize) {
    static AT_EXIT: Once = Once::new();
    AT_EXIT.call_once(|| {
        // SAFETY: `write` has the required signature, does not unwind, and is part of the program.
        unsafe { libc::atexit(write) };
    });
    // A stack from the platform's unwinder, or one with omitted frames, cannot be compared.
    if cache.buffer.count() == 0 || cache.omitted() > 0 {
        return;
    }
    let mut theirs = Vec::new();
    // The platform's unwinder may report the null return address that ends a stack.
    platform::walk(from.stack_pointer, base, |address| {
        if address != 0 {
            theirs.push(address);
        }
    });
    // The newest frames differ, because each walk began at a different address.
    let ours: Vec<usize> = cache.frames().iter().rev().skip(1).copied().collect();
    let theirs = theirs.get(1..).unwrap_or_default();
    let longer = ours.len().max(theirs.len());
    let same = ours.iter().zip(theirs).filter(|(ours, theirs)| ours == theirs).count();
    STACKS.fetch_add(1, Ordering::Relaxed);
    FRAMES.fetch_add(longer as u64, Ordering::Relaxed);
    DIFFERENT.fetch_add((longer - same) as u64, Ordering::Relaxed);
    if same < longer {
        add_example(&ours, theirs);
    }
}

fn add_example(ours: &[usize], theirs: &[usize]) {
    let names =
        |frames: &[usize]| frames.iter().map(|&at| name(at)).collect::<Vec<_>>().join(" < ");
    let mut examples = EXAMPLES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if examples.len() < 20 {
        examples.push(format!("  ours   {}\n  theirs {}\n", names(ours), names(theirs)));
    }
}

/// Returns the dynamic linker's name of the function that contains an address, otherwise the
/// address.
fn name(address: usize) -> String {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let at = without_provenance_mut::<c_void>(address);
    // SAFETY: `dladdr` accepts any address and writes at most one structure.
    let found = unsafe { libc::dladdr(at, info.as_mut_ptr()) };
    // SAFETY: all zeros is a valid `Dl_info`, and `dladdr` only writes valid ones.
    let info = unsafe { info.assume_init() };
    if found == 0 || info.dli_sname.is_null() {
        return format!("{address:#x}");
    }
    // SAFETY: the name is a C string in the object, which is loaded because its code is on the
    // stack.
    unsafe { CStr::from_ptr(info.dli_sname) }.to_string_lossy().into_owned()
}

extern "C" fn write() {
    let Some(path) = std::env::var_os("LEAKCHECK_COMPARED") else { return };
    let [stacks, frames, different] =
        [&STACKS, &FRAMES, &DIFFERENT].map(|count| count.load(Ordering::Relaxed));
    let program = std::env::args().next().unwrap_or_default();
    let mut text = format!("{stacks} stacks, {frames} frames, {different} differ: {program}\n");
    text.extend(EXAMPLES.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).drain(..));
    let file = OpenOptions::new().create(true).append(true).open(path);
    // An error cannot be reported while the process exits.
    _ = file.and_then(|mut file| file.write_all(text.as_bytes()));
}
