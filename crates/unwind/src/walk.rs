//! The entry points of the crate: walks with the walk cache, and their fallbacks.

use crate::platform;
use crate::registers::Registers;
#[cfg(table_unwinder)]
use crate::walk_cache::RetraceResult;
use crate::walk_cache::WalkCache;
#[cfg(table_unwinder)]
use crate::{rule_cache, uncached};

/// The result of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkResult {
    /// The cache already contained the stack.
    Unchanged,
    /// The cache contains another stack now.
    Changed,
    /// The rules do not describe the whole stack, so the caller must call [`walk_by_platform`].
    NeedsPlatform,
}

/// Calls `each` with each frame from the function of `from` up to the stack address `base`, newest
/// first. It stops at a frame that the rules do not describe. It neither allocates nor locks, so a
/// signal handler may call it.
pub fn walk_by_rules(from: &Registers, base: usize, each: impl FnMut(usize)) {
    #[cfg(table_unwinder)]
    if rule_cache::is_ready() && from.stack_pointer < base {
        // SAFETY: the function of `from` has not returned, and `base` is the address of a variable
        // in an older frame of this stack, so everything in between is part of the live stack.
        unsafe { uncached::walk(from, base, each) };
    }
    #[cfg(not(table_unwinder))]
    let _ = (from, base, each);
}

/// Prepares for walks. It locks and may allocate, so it must not run on the allocator's path.
pub fn prepare() {
    #[cfg(table_unwinder)]
    rule_cache::prepare();
}

/// Clears the rule cache, because code was unloaded. The walk caches of threads become invalid too,
/// which [`rule_generation`] indicates.
pub fn forget_rules() {
    #[cfg(table_unwinder)]
    rule_cache::clear();
}

/// Returns a number that increases whenever the rule cache is cleared. A walk cache from an earlier
/// generation is invalid.
pub fn rule_generation() -> u64 {
    #[cfg(table_unwinder)]
    return rule_cache::generation();
    #[cfg(not(table_unwinder))]
    0
}

/// Walks the stack from the function of `from` into a cache. Frames above the stack address `base`
/// belong to the harness and are omitted. A `base` of 0 means that it is unknown.
#[inline(never)]
pub fn walk(cache: &mut WalkCache, from: &Registers, base: usize) -> WalkResult {
    #[cfg(table_unwinder)]
    if from.stack_pointer < base {
        // SAFETY: the function of `from` has not returned, and `base` is the address of a variable
        // in an older frame of this stack, so everything in between is part of the live stack.
        let result = unsafe { retrace(cache, from, base) };
        return match result {
            RetraceResult::Unchanged => WalkResult::Unchanged,
            RetraceResult::Changed => {
                cache.finish_walk();
                WalkResult::Changed
            }
            // SAFETY: the stack from `from` to `base` is live, as argued above.
            result => unsafe { walk_slow(cache, from, base, result) },
        };
    }
    let _ = (cache, from, base);
    WalkResult::NeedsPlatform
}

/// Walks the stack with the platform's unwinder. It may allocate, so the caller must not track the
/// allocations of this thread during the call.
#[cold]
#[inline(never)]
pub fn walk_by_platform(cache: &mut WalkCache, from: &Registers, base: usize) {
    cache.fill(|each| platform::walk(from.stack_pointer, base, each));
}

/// Compares the stack in a cache with that of the platform's unwinder. It allocates, so the caller
/// must not track the allocations of this thread during the call.
#[cfg(all(table_unwinder, leakcheck_compare))]
pub fn compare_with_platform(cache: &WalkCache, from: &Registers, base: usize) {
    crate::compare::with_platform(cache, from, base);
}

/// Calls the version of [`WalkCache::retrace`] for this architecture.
///
/// # Safety
///
/// As for [`WalkCache::retrace`].
#[cfg(table_unwinder)]
#[inline(always)]
pub(crate) unsafe fn retrace(
    cache: &mut WalkCache,
    from: &Registers,
    base: usize,
) -> RetraceResult {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller upholds the contract of `retrace`, the registers are those of `from`, and
    // the last argument is the rule cache.
    unsafe {
        crate::x86_64::retrace(
            cache,
            base,
            from.address,
            from.stack_pointer,
            from.frame_pointer,
            &raw const rule_cache::RULES,
        )
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the caller upholds the contract of `retrace`.
    unsafe {
        cache.retrace(from, base)
    }
}

/// The maximum number of restarts of a walk after loading a missing rule. Without it, addresses
/// that evict each other from the rule cache could prevent a walk from ending.
#[cfg(table_unwinder)]
const MAX_ATTEMPTS: usize = 1 << 12;

/// Completes a walk that needs more rules than are cached, or more memory for frames.
///
/// # Safety
///
/// As for [`WalkCache::retrace`].
#[cfg(table_unwinder)]
#[cold]
#[inline(never)]
unsafe fn walk_slow(
    cache: &mut WalkCache,
    from: &Registers,
    base: usize,
    mut result: RetraceResult,
) -> WalkResult {
    for _ in 0..MAX_ATTEMPTS {
        match result {
            RetraceResult::Unchanged => return WalkResult::Unchanged,
            RetraceResult::Changed => {
                cache.finish_walk();
                return WalkResult::Changed;
            }
            RetraceResult::MissingRule if rule_cache::is_ready() => {
                _ = rule_cache::load(cache.missing_rule)
            }
            RetraceResult::TooDeep if cache.buffer.grow() => {}
            RetraceResult::TooDeep => {
                let mut complete = false;
                // SAFETY: the caller promises that the stack up to `base` is readable.
                cache.fill(|each| complete = unsafe { uncached::walk(from, base, each) });
                return if complete { WalkResult::Changed } else { WalkResult::NeedsPlatform };
            }
            RetraceResult::MissingRule | RetraceResult::Unsupported => break,
        }
        // SAFETY: the caller promises that the stack up to `base` is readable.
        result = unsafe { retrace(cache, from, base) };
    }
    WalkResult::NeedsPlatform
}
