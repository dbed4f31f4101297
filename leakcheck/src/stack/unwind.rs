//! Walks the stack of the calling thread.
//!
//! On Linux with glibc by the program's own unwind tables, with the rule of every return address
//! remembered ([`rules`]) and the last walk of the thread too ([`trail`]); elsewhere, and where
//! those rules are not simple, by the platform's unwinder ([`platform`]), which gives the same
//! frames and takes some fifty times as long.

#[cfg(all(own_walk, leakcheck_compare))]
mod compare;
#[cfg(own_walk)]
mod eh_frame;
#[cfg(own_walk)]
mod objects;
#[cfg(own_walk)]
mod plain;
mod platform;
mod registers;
#[cfg(own_walk)]
mod rule;
#[cfg(own_walk)]
mod rules;
pub(crate) mod trail;
#[cfg(all(own_walk, target_arch = "x86_64"))]
pub(crate) mod x86_64;

#[cfg(all(test, own_walk))]
mod tests;

pub(crate) use registers::Registers;
#[cfg(own_local)]
pub(crate) use rules::TABLE as RULES;
#[cfg(own_walk)]
use trail::Outcome;
use trail::Trail;

/// What a walk's preparation locks, held over a fork.
#[cfg(own_walk)]
pub(crate) type Held = rules::Held;
#[cfg(all(unix, not(own_walk)))]
pub(crate) type Held = ();

#[cfg(unix)]
pub(crate) fn hold() -> Held {
    #[cfg(own_walk)]
    rules::hold()
}

/// To be called in the child of a fork, which has to do with what its parent has found out.
#[cfg(unix)]
pub(crate) fn ask_no_more() {
    #[cfg(own_walk)]
    rules::ask_no_more();
}

/// Gives each frame above the function that `from` is in to `each`, the newest first, as far as rules tell. Nothing
/// is allocated or locked for it, so that it may be done in the handler of a signal.
#[cfg(noted)]
pub(crate) fn walk_by_rules(from: &Registers, base: usize, each: impl FnMut(usize)) {
    if rules::are_ready() && from.stack_pointer < base {
        // SAFETY: `from` is in a function that is active, and `base` is the address of a variable
        // in an older frame of this stack; what lies between is live stack.
        unsafe { plain::walk(from, base, each) };
    }
}

/// Makes ready for walks. To be called when a region opens, outside of the allocator's path.
pub(crate) fn prepare() {
    #[cfg(own_walk)]
    rules::prepare();
}

/// Code is gone: its rules are forgotten, and so are trails through it, from the next event of their threads on.
#[cfg(interposed)]
pub(crate) fn forget() {
    #[cfg(own_walk)]
    rules::forget();
}

/// Goes up whenever rules are forgotten: a trail that was begun before is good no longer.
pub(crate) fn generation() -> u64 {
    #[cfg(own_walk)]
    return rules::generation();
    #[cfg(not(own_walk))]
    0
}

/// Hands out the stack above the function that `from` is in, newest frame first, up to `base`; as
/// far as the rules tell.
#[cfg(holders)]
pub(crate) fn walk_plainly(from: &Registers, base: usize, each: &mut dyn FnMut(usize)) {
    if !rules::are_ready() || from.stack_pointer >= base {
        return;
    }
    // SAFETY: `from` is in a function that is active, and `base` is the address of a variable in an
    // older frame of this stack; what lies between is live stack.
    unsafe { plain::walk(from, base, each) };
}

/// Puts the stack above the function that `from` is in on a trail. `true` where it is the one that
/// the trail held already. Frames above the stack address `base` belong to the harness and are left
/// out; 0 is none.
#[inline(never)]
pub(crate) fn walk(trail: &mut Trail, from: &Registers, base: usize) -> bool {
    let same = walk_once(trail, from, base);
    #[cfg(all(own_walk, leakcheck_compare))]
    compare::with_platform(trail, from, base);
    same
}

#[inline(always)]
fn walk_once(trail: &mut Trail, from: &Registers, base: usize) -> bool {
    #[cfg(own_walk)]
    if from.stack_pointer < base {
        // SAFETY: `from` is in a function that is active, and `base` is the address of a variable
        // in an older frame of this stack; what lies between is live stack.
        match unsafe { retrace(trail, from, base) } {
            Outcome::Same => return true,
            Outcome::New => {
                trail.settle();
                return false;
            }
            // SAFETY: as above.
            outcome => return unsafe { walk_further(trail, from, base, outcome) },
        }
    }
    walk_by_platform(trail, from, base);
    false
}

#[cfg(own_walk)]
#[inline(always)]
unsafe fn retrace(trail: &mut Trail, from: &Registers, base: usize) -> Outcome {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise.
    unsafe {
        x86_64::retrace(
            trail,
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
        trail.retrace(from, base)
    }
}

/// How often a walk is begun again with one more rule learnt. Addresses that drive one another out
/// of the table must not keep it from its end.
#[cfg(own_walk)]
const ATTEMPTS: usize = 4 * trail::STEPS;

/// # Safety
///
/// As for [`Trail::retrace`].
#[cfg(own_walk)]
#[cold]
#[inline(never)]
unsafe fn walk_further(
    trail: &mut Trail,
    from: &Registers,
    base: usize,
    mut outcome: Outcome,
) -> bool {
    for _ in 0..ATTEMPTS {
        match outcome {
            Outcome::Same => return true,
            Outcome::New => {
                trail.settle();
                return false;
            }
            Outcome::Unknown if rules::are_ready() => _ = rules::learn(trail.unknown),
            Outcome::Deep => {
                let mut whole = false;
                // SAFETY: the caller's promise.
                trail.take(|each| whole = unsafe { plain::walk(from, base, each) });
                if whole {
                    return false;
                }
                break;
            }
            Outcome::Unknown | Outcome::Unusual => break,
        }
        // SAFETY: the caller's promise.
        outcome = unsafe { retrace(trail, from, base) };
    }
    walk_by_platform(trail, from, base);
    false
}

#[cold]
#[inline(never)]
fn walk_by_platform(trail: &mut Trail, from: &Registers, base: usize) {
    // An unwinder that allocates must not be captured in its turn.
    let _quiet = crate::thread::Quiet::new();
    trail.take(|each| platform::walk(from.stack_pointer, base, each));
}
