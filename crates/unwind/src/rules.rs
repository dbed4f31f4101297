//! The rules of return addresses, remembered.
//!
//! One table for the process, of one word for each return address: a tag of 34 bits and the rule in
//! 30. It is read and written without a lock; a writer that loses a race costs another look at the
//! unwind tables, never a wrong rule.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use leakcheck_system::fork::{ForkMutex, in_child};

use crate::objects;
use crate::rule::Rule;

/// Sets of the table, as a power of two: the lower bits of an address pick the set, the upper ones
/// are the tag.
pub(super) const SET_BITS: u32 = 14;
/// Entries of a set, half a cache line.
pub(super) const WAYS: usize = 4;

/// 512 KiB that cost memory only where they are used.
#[repr(C, align(64))]
pub struct Table([AtomicU64; WAYS << SET_BITS]);

pub static TABLE: Table = Table([const { AtomicU64::new(0) }; WAYS << SET_BITS]);
static READY: AtomicBool = AtomicBool::new(false);
/// What [`objects::unloaded`] said when the table was last empty.
static UNLOADED: AtomicU64 = AtomicU64::new(0);

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Held while the dynamic linker is asked: its own lock is not held over a fork.
static LINKER: ForkMutex<()> = ForkMutex::new(50, ());

/// Keeps others from asking the dynamic linker, and this thread from being between a fork and its
/// child while it asks.
pub fn lock_linker() -> MutexGuard<'static, ()> {
    LINKER.lock()
}

/// This is the child of a fork, in which another thread's lock of the dynamic linker stays taken.
static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// Finds out whether walks are possible, and forgets the rules of code that may be gone.
pub(super) fn prepare() {
    in_child(|| IN_CHILD.store(true, Ordering::Relaxed));
    let _linker = lock_linker();
    if IN_CHILD.load(Ordering::Relaxed) || !objects::prepare() {
        return;
    }
    let unloaded = objects::unloaded();
    if UNLOADED.swap(unloaded, Ordering::AcqRel) != unloaded {
        forget();
    }
    READY.store(true, Ordering::Release);
}

/// Forgets all of them.
pub(super) fn forget() {
    for entry in &TABLE.0 {
        entry.store(0, Ordering::Relaxed);
    }
    GENERATION.fetch_add(1, Ordering::SeqCst);
}

/// How often rules were forgotten.
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::SeqCst)
}

pub(super) fn are_ready() -> bool {
    READY.load(Ordering::Relaxed)
}

fn tag(look: usize) -> u64 {
    (look as u64 >> SET_BITS) << Rule::BITS
}

fn set(look: usize) -> &'static [AtomicU64] {
    let first = (look & ((1 << SET_BITS) - 1)) * WAYS;
    &TABLE.0[first..first + WAYS]
}

/// The rule for an address, if it is remembered.
pub(super) fn remembered(look: usize) -> Option<Rule> {
    set(look).iter().find_map(|entry| {
        let differs = entry.load(Ordering::Relaxed) ^ tag(look);
        // An empty entry has no rule.
        (differs != 0 && differs >> Rule::BITS == 0).then(|| Rule::from_bits(differs as u32))
    })
}

/// Looks at the unwind tables and remembers the rule for an address.
#[cold]
#[inline(never)]
pub(super) fn learn(look: usize) -> Rule {
    let rule = match objects::eh_frame_hdr(look) {
        Some(eh_frame_hdr) => Rule::of(look, eh_frame_hdr),
        None => Rule::UNUSUAL,
    };
    let set = set(look);
    let free = set.iter().position(|entry| entry.load(Ordering::Relaxed) == 0);
    // The upper bits, because the lower ones are the same for the whole set.
    let place = free.unwrap_or((look >> SET_BITS) % WAYS);
    set[place].store(tag(look) | u64::from(rule.bits()), Ordering::Relaxed);
    rule
}
