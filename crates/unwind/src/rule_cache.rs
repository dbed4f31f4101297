//! The process-wide cache of unwind rules, by return address.
//!
//! It is a set-associative table with one word for each return address: a tag of 34 bits and a rule
//! of 30. Reads and writes take no lock. A lost write costs another lookup in the unwind tables and
//! never leads to a wrong rule.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use leakcheck_system::fork::{ForkMutex, in_child};

use crate::objects;
use crate::rule::Rule;

/// The base-2 logarithm of the number of sets. The lower bits of an address select the set, and the
/// upper ones are the tag.
pub(super) const SET_BITS: u32 = 14;
/// The number of entries of a set, which fill half a cache line.
pub(super) const SET_SIZE: usize = 4;

/// The cache. It reserves 512 KiB, of which the kernel allocates the pages that are used.
#[repr(C, align(64))]
pub struct RuleCache([AtomicU64; SET_SIZE << SET_BITS]);

/// The cache of the process.
pub static RULES: RuleCache = RuleCache([const { AtomicU64::new(0) }; SET_SIZE << SET_BITS]);

/// Whether the unwind tables can be located.
static READY: AtomicBool = AtomicBool::new(false);
/// The result of [`objects::unload_count`] when the cache was last cleared.
static SEEN_UNLOADS: AtomicU64 = AtomicU64::new(0);

/// The number of times that the cache was cleared.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Held during calls of the dynamic linker, because no fork handler takes the linker's own lock.
static LINKER: ForkMutex<()> = ForkMutex::new(50, ());

/// Locks out other callers of the dynamic linker, and forks. A child that is forked during such a
/// call would find the linker's own lock taken.
pub fn lock_linker() -> MutexGuard<'static, ()> {
    LINKER.lock()
}

/// Whether this process is the child of a fork, in which a thread that does not exist may hold the
/// dynamic linker's lock.
static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// Checks whether unwind tables can be located, and clears the cache if code was unloaded.
pub(super) fn prepare() {
    in_child(|| IN_CHILD.store(true, Ordering::Relaxed));
    let _linker = lock_linker();
    if IN_CHILD.load(Ordering::Relaxed) || !objects::prepare() {
        return;
    }
    let unloads = objects::unload_count();
    if SEEN_UNLOADS.swap(unloads, Ordering::AcqRel) != unloads {
        clear();
    }
    READY.store(true, Ordering::Release);
}

/// Clears the cache.
pub(super) fn clear() {
    for entry in &RULES.0 {
        entry.store(0, Ordering::Relaxed);
    }
    GENERATION.fetch_add(1, Ordering::SeqCst);
}

/// Returns how many times the cache was cleared.
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::SeqCst)
}

/// Returns whether [`prepare`] has found the unwind tables.
pub(super) fn is_ready() -> bool {
    READY.load(Ordering::Relaxed)
}

fn tag(address: usize) -> u64 {
    (address as u64 >> SET_BITS) << Rule::BITS
}

fn set(address: usize) -> &'static [AtomicU64] {
    let first = (address & ((1 << SET_BITS) - 1)) * SET_SIZE;
    &RULES.0[first..first + SET_SIZE]
}

/// Returns the cached rule for an address.
pub(super) fn get(address: usize) -> Option<Rule> {
    set(address).iter().find_map(|entry| {
        let difference = entry.load(Ordering::Relaxed) ^ tag(address);
        // An empty entry may match the tag 0, but no rule is 0.
        (difference != 0 && difference >> Rule::BITS == 0)
            .then(|| Rule::from_bits(difference as u32))
    })
}

/// Reads the rule for an address from the unwind tables and caches it.
#[cold]
#[inline(never)]
pub(super) fn load(address: usize) -> Rule {
    let rule = match objects::eh_frame_hdr(address) {
        Some(eh_frame_hdr) => Rule::of(address, eh_frame_hdr),
        None => Rule::UNSUPPORTED,
    };
    let set = set(address);
    let free = set.iter().position(|entry| entry.load(Ordering::Relaxed) == 0);
    // The upper bits select the entry to evict, because the lower ones are the same in the whole
    // set.
    let index = free.unwrap_or((address >> SET_BITS) % SET_SIZE);
    set[index].store(tag(address) | u64::from(rule.bits()), Ordering::Relaxed);
    rule
}
