//! The rules of return addresses, remembered.
//!
//! One table for the process, of one word for each return address: a tag of 34 bits and the rule in
//! 30. It is read and written without a lock; a writer that loses a race costs another look at the
//! unwind tables, never a wrong rule.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::objects;
use super::rule::Rule;

/// Sets of the table, as a power of two: the lower bits of an address pick the set, the upper ones
/// are the tag.
pub(super) const SET_BITS: u32 = 14;
/// Entries of a set, half a cache line.
pub(super) const WAYS: usize = 4;

/// 512 KiB that cost memory only where they are used.
#[repr(C, align(64))]
pub(crate) struct Table([AtomicU64; WAYS << SET_BITS]);

pub(crate) static TABLE: Table = Table([const { AtomicU64::new(0) }; WAYS << SET_BITS]);
static READY: AtomicBool = AtomicBool::new(false);
/// What [`objects::unloaded`] said when the table was last empty.
static UNLOADED: AtomicU64 = AtomicU64::new(0);

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Held while the dynamic linker is asked, whose own lock the C library does not mind at a fork.
static ASKING: Mutex<()> = Mutex::new(());

/// The right to ask the dynamic linker, held over a fork.
pub(super) type Held = MutexGuard<'static, ()>;

pub(super) fn hold() -> Held {
    ASKING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The dynamic linker's lock may be another thread's, which is not in the child.
static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// To be called in the child of a fork.
pub(super) fn ask_no_more() {
    IN_CHILD.store(true, Ordering::Relaxed);
}

/// Finds out whether walks are possible, and forgets the rules of code that may be gone.
pub(super) fn prepare() {
    let _asking = hold();
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
