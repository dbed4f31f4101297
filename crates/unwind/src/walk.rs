//! One walk: by rules and the walk cache as far as they go, and what to do where they do not.

use crate::platform;
use crate::registers::Registers;
#[cfg(table_unwinder)]
use crate::walk_cache::Outcome;
use crate::walk_cache::WalkCache;
#[cfg(table_unwinder)]
use crate::{plain, rules, walk_cache};

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// The stack is the one that the cache held already.
    Same,
    /// The cache holds another stack now.
    New,
    /// Rules do not lead through this stack: [`walk_by_platform`] has to walk it.
    NeedsPlatform,
}

/// Passes each frame above the function that `from` is in to `each`, the newest first, up to the
/// stack address `base` and as far as rules lead. It neither allocates nor locks, so a signal handler
/// may call it.
pub fn walk_by_rules(from: &Registers, base: usize, each: impl FnMut(usize)) {
    #[cfg(table_unwinder)]
    if rules::are_ready() && from.stack_pointer < base {
        // SAFETY: `from` is in a function that is active, and `base` is the address of a variable
        // in an older frame of this stack; what lies between is live stack.
        unsafe { plain::walk(from, base, each) };
    }
    #[cfg(not(table_unwinder))]
    let _ = (from, base, each);
}

/// Makes ready for walks. It locks and may allocate, so it must not run on the allocator's path.
pub fn prepare() {
    #[cfg(table_unwinder)]
    rules::prepare();
}

/// Forgets the cached rules, because code was unloaded. Walk caches of threads become invalid with
/// the next event of their thread, as [`generation`] shows.
pub fn forget_rules() {
    #[cfg(table_unwinder)]
    rules::forget();
}

/// Increases whenever rules are forgotten. A walk cache that was filled before is invalid.
pub fn generation() -> u64 {
    #[cfg(table_unwinder)]
    return rules::generation();
    #[cfg(not(table_unwinder))]
    0
}

/// Walks the stack above the function that `from` is in, into a cache. Frames above the stack
/// address `base` belong to the harness and are left out; 0 is none.
#[inline(never)]
pub fn walk(cache: &mut WalkCache, from: &Registers, base: usize) -> Walk {
    #[cfg(table_unwinder)]
    if from.stack_pointer < base {
        // SAFETY: `from` is in a function that is active, and `base` is the address of a variable
        // in an older frame of this stack; what lies between is live stack.
        let outcome = unsafe { retrace(cache, from, base) };
        return match outcome {
            Outcome::Same => Walk::Same,
            Outcome::New => {
                cache.settle();
                Walk::New
            }
            // SAFETY: the same stretch of live stack.
            outcome => unsafe { walk_further(cache, from, base, outcome) },
        };
    }
    let _ = (cache, from, base);
    Walk::NeedsPlatform
}

/// Walks the same stack by the platform's unwinder. It may allocate, so the caller must not track
/// what this thread allocates meanwhile.
#[cold]
#[inline(never)]
pub fn walk_by_platform(cache: &mut WalkCache, from: &Registers, base: usize) {
    cache.take(|each| platform::walk(from.stack_pointer, base, each));
}

/// Compares the stack in a cache with what the platform's unwinder finds. It allocates, so the
/// caller must not track what this thread allocates meanwhile.
#[cfg(all(table_unwinder, leakcheck_compare))]
pub fn compare_with_platform(cache: &WalkCache, from: &Registers, base: usize) {
    crate::compare::with_platform(cache, from, base);
}

/// # Safety
///
/// As for [`WalkCache::retrace`].
#[cfg(table_unwinder)]
#[inline(always)]
pub(crate) unsafe fn retrace(cache: &mut WalkCache, from: &Registers, base: usize) -> Outcome {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise.
    unsafe {
        crate::x86_64::retrace(
            cache,
            base,
            from.address,
            from.stack_pointer,
            from.frame_pointer,
            &raw const rules::TABLE,
        )
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the caller's promise.
    unsafe {
        cache.retrace(from, base)
    }
}

/// How often a walk starts over with one more rule learned. Addresses that evict one another from
/// the table must not keep it from ending.
#[cfg(table_unwinder)]
const ATTEMPTS: usize = 4 * walk_cache::STEPS;

/// # Safety
///
/// As for [`WalkCache::retrace`].
#[cfg(table_unwinder)]
#[cold]
#[inline(never)]
unsafe fn walk_further(
    cache: &mut WalkCache,
    from: &Registers,
    base: usize,
    mut outcome: Outcome,
) -> Walk {
    for _ in 0..ATTEMPTS {
        match outcome {
            Outcome::Same => return Walk::Same,
            Outcome::New => {
                cache.settle();
                return Walk::New;
            }
            Outcome::Unknown if rules::are_ready() => _ = rules::learn(cache.unknown),
            Outcome::Deep => {
                let mut whole = false;
                // SAFETY: the caller's promise.
                cache.take(|each| whole = unsafe { plain::walk(from, base, each) });
                return if whole { Walk::New } else { Walk::NeedsPlatform };
            }
            Outcome::Unknown | Outcome::Unusual => break,
        }
        // SAFETY: the caller's promise.
        outcome = unsafe { retrace(cache, from, base) };
    }
    Walk::NeedsPlatform
}
