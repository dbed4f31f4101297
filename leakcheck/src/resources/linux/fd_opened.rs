//! Who opened which file descriptor, and where: noted by the functions of [`opening`](super::opening).
//!
//! Nothing here allocates, locks or waits, as files are opened in the handlers of signals and in the children of
//! forks.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::owner::Owner;
use super::recorded_stack::RecordedStack;
use leakcheck_ledger::SiteId;
use leakcheck_ledger::{epoch, thread};
use leakcheck_system::arena::Zeroed;
use leakcheck_system::fixed_table::Table;
use leakcheck_unwind::Registers;

#[repr(C)]
struct Entry {
    owner: AtomicU64,
    /// What the descriptor stood for when it was opened: one that was closed unseen is told by it.
    identity: AtomicU64,
    stack: RecordedStack,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Entry {}

/// By number. Of larger ones nothing is noted.
static ENTRIES: Table<Entry> = Table::new(1 << 16);

/// One more than the largest number that was noted.
static END: AtomicUsize = AtomicUsize::new(0);

/// To be called when a region opens.
pub(crate) fn prepare() {
    if cfg!(tracks_handles) {
        ENTRIES.prepare();
    }
}

/// The caller has opened a descriptor.
#[inline(always)]
pub(crate) fn opened(fd: c_int, from: &Registers) {
    if fd >= 0
        && let Some(entry) = ENTRIES.get(fd as usize)
    {
        if epoch::any_open() {
            note(entry, fd, from);
        } else {
            entry.owner.store(Owner::UNKNOWN.word(), Ordering::Release);
        }
    }
}

#[inline(never)]
fn note(entry: &Entry, fd: c_int, from: &Registers) {
    if super::process::is_elsewhere() {
        return;
    }
    let thread = thread::here();
    let owner = Owner::here(thread);
    entry.owner.store(Owner::UNKNOWN.word(), Ordering::Release);
    entry.identity.store(identity_now(fd), Ordering::Relaxed);
    if owner != Owner::NOBODY && owner != Owner::LEAKCHECK {
        entry.stack.record(thread, from);
    }
    entry.owner.store(owner.word(), Ordering::Release);
    if END.load(Ordering::Relaxed) <= fd as usize {
        END.fetch_max(fd as usize + 1, Ordering::Relaxed);
    }
}

/// A descriptor that was open already stands for something else now, but its slot is whose it was.
pub(crate) fn replaced(fd: c_int) {
    let Some(entry) = ENTRIES.get(fd as usize).filter(|_| epoch::any_open()) else { return };
    if super::process::is_elsewhere() {
        return;
    }
    if owner(entry) == Owner::UNKNOWN {
        entry.owner.store(Owner::NOBODY.word(), Ordering::Release);
    }
    entry.identity.store(identity_now(fd), Ordering::Relaxed);
}

fn identity_now(fd: c_int) -> u64 {
    let mut now = None;
    super::process::keeping_errno(|| now = identity(fd));
    now.unwrap_or(0)
}

/// The caller is about to close a descriptor. To be told of the outcome, where this says so.
#[inline(always)]
pub(crate) fn closes(fd: c_int) -> bool {
    if fd >= 0
        && let Some(entry) = ENTRIES.get(fd as usize)
    {
        let noted = entry.owner.load(Ordering::Relaxed) != Owner::UNKNOWN.word();
        if noted && !super::process::is_elsewhere() {
            entry.owner.store(Owner::ENDING.word(), Ordering::Release);
            return true;
        }
    }
    false
}

/// The descriptor that [`closes`] was told of is closed. Its number may be used again by now.
pub(crate) fn closed(fd: c_int) {
    if let Some(entry) = ENTRIES.get(fd as usize) {
        let (ending, unknown) = (Owner::ENDING.word(), Owner::UNKNOWN.word());
        _ = entry.owner.compare_exchange(ending, unknown, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// The caller is about to close all descriptors from one number on up to another one.
pub(crate) fn closes_all(first: usize, last: usize) {
    let end = END.load(Ordering::Relaxed).min(last.saturating_add(1));
    if first >= end || super::process::is_elsewhere() {
        return;
    }
    for entry in (first..end).filter_map(|fd| ENTRIES.get(fd)) {
        entry.owner.store(Owner::UNKNOWN.word(), Ordering::Release);
    }
}

/// Who opened a descriptor that has this identity now.
pub(crate) fn opener(fd: c_int, identity: u64) -> Owner {
    let Some(entry) = ENTRIES.get(fd as usize) else { return Owner::UNKNOWN };
    let owner = owner(entry);
    let same = owner == Owner::ENDING || entry.identity.load(Ordering::Relaxed) == identity;
    if same { owner } else { Owner::UNKNOWN }
}

/// Where a descriptor was opened; 0 where that is not known.
pub(crate) fn opened_at(fd: c_int) -> SiteId {
    let known = identity(fd).is_some_and(|identity| opener(fd, identity) != Owner::UNKNOWN);
    ENTRIES.get(fd as usize).filter(|_| known).map_or(0, |entry| entry.stack.call_site())
}

/// Makes call sites of all places.
pub(crate) fn keep_call_sites() {
    let entries = (0..END.load(Ordering::Relaxed)).filter_map(|fd| ENTRIES.get(fd));
    entries
        .filter(|entry| owner(entry) != Owner::UNKNOWN)
        .for_each(|entry| _ = entry.stack.call_site());
}

/// What an inner region has opened passes to the one around it.
pub(crate) fn pass_on(inner: Owner, outer: Owner) {
    let end = END.load(Ordering::Relaxed);
    for entry in (0..end).filter_map(|fd| ENTRIES.get(fd)) {
        _ = entry.owner.compare_exchange(
            inner.word(),
            outer.word(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }
}

fn owner(entry: &Entry) -> Owner {
    Owner::of_word(entry.owner.load(Ordering::Acquire))
}

/// Tells what a descriptor stands for from most other things; `None` where it is not open.
pub(crate) fn identity(fd: c_int) -> Option<u64> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel writes a whole structure there.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: without an error it was written.
    let status = unsafe { status.assume_init() };
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    #[allow(clippy::useless_conversion, reason = "some of them are shorter on some systems")]
    let parts: [u64; 4] =
        [status.st_ino.into(), status.st_dev.into(), status.st_rdev.into(), status.st_mode.into()];
    Some(parts.iter().fold(0, |hash: u64, part| (hash.rotate_left(7) ^ part).wrapping_mul(FACTOR)))
}
