//! Who started which child process, and where: noted by the functions of [`starting`](super::starting).
//!
//! Nothing here allocates, locks or waits: a child may fork in its turn before it is another program.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::owner::Owner;
use super::place::Place;
use super::table::Table;
#[cfg(noted)]
use super::under_way::STARTING;
#[cfg(noted)]
use super::wait::is_child;
use crate::arena::Zeroed;
use crate::stack::site::SiteId;
#[cfg(noted)]
use crate::{ledger, stack::unwind::Registers, thread};

#[repr(C)]
struct Entry {
    owner: AtomicU64,
    /// 0 where the entry is free, and [`BEING_WRITTEN`].
    pid: AtomicI32,
    place: Place,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Entry {}

const BEING_WRITTEN: c_int = -1;

/// Of more children at a time, the later ones are not noted.
const ROOM: usize = 1 << 10;

static ENTRIES: Table<Entry> = Table::new(ROOM);

/// To be called when a region opens.
pub(super) fn prepare() {
    if cfg!(noted) {
        ENTRIES.prepare();
    }
}

/// The caller has started a child.
#[cfg(noted)]
pub(super) fn started(pid: c_int, from: &Registers) {
    if pid > 0 && ledger::any_open() {
        super::process::keeping_errno(|| note(pid, from));
    }
}

/// Starts a child of leakcheck's own, by a function that nothing stands before. In the child, nothing is
/// done after it.
#[cfg(holders)]
#[inline(always)]
pub(crate) fn start_ours(start: impl FnOnce() -> c_int) -> c_int {
    #[cfg(noted)]
    let watched = STARTING.begins();
    let pid = start();
    #[cfg(noted)]
    if pid != 0 {
        started(pid, &Registers::here());
        STARTING.ends(watched);
    }
    pid
}

#[cfg(noted)]
#[inline(never)]
fn note(pid: c_int, from: &Registers) {
    if super::process::is_elsewhere() {
        return;
    }
    let thread = thread::here();
    let owner = Owner::here(thread);
    let Some(entry) = claim(pid) else { return };
    entry.owner.store(owner.word(), Ordering::Relaxed);
    entry.place.note(thread, from);
    entry.pid.store(pid, Ordering::Release);
}

/// An entry to be written: one of an earlier child with this number, else one that is free, or whose child was waited
/// for.
#[cfg(noted)]
fn claim(pid: c_int) -> Option<&'static Entry> {
    let entries = || (0..ROOM).map_while(|index| ENTRIES.get(index));
    let take = |entry: &Entry, held| {
        let (taken, order) = (BEING_WRITTEN, Ordering::AcqRel);
        entry.pid.compare_exchange(held, taken, order, Ordering::Relaxed).is_ok()
    };
    if let Some(earlier) = entries().find(|entry| entry.pid.load(Ordering::Relaxed) == pid) {
        return take(earlier, pid).then_some(earlier);
    }
    entries().find(|entry| match entry.pid.load(Ordering::Relaxed) {
        BEING_WRITTEN => false,
        held => (held == 0 || !is_child(held)) && take(entry, held),
    })
}

fn find(pid: c_int) -> Option<&'static Entry> {
    let mut entries = (0..ROOM).map_while(|index| ENTRIES.get(index));
    entries.find(|entry| entry.pid.load(Ordering::Acquire) == pid)
}

/// Who started a child.
pub(super) fn starter(pid: c_int) -> Owner {
    find(pid).map_or(Owner::UNKNOWN, |entry| Owner::of_word(entry.owner.load(Ordering::Relaxed)))
}

/// Where a child was started; 0 where that is not known.
pub(super) fn started_at(pid: c_int) -> SiteId {
    find(pid).map_or(0, |entry| entry.place.site())
}

/// Makes call sites of all places.
#[cfg(noted)]
pub(super) fn keep_places() {
    let entries = (0..ROOM).map_while(|index| ENTRIES.get(index));
    let used = entries.take_while(|entry| entry.pid.load(Ordering::Acquire) != 0);
    used.for_each(|entry| _ = entry.place.site());
}

/// The children of an inner region pass to the one around it.
pub(super) fn pass_on(inner: Owner, outer: Owner) {
    for entry in (0..ROOM).map_while(|index| ENTRIES.get(index)) {
        if entry.pid.load(Ordering::Acquire) == 0 {
            break;
        }
        let (inner, outer, order) = (inner.word(), outer.word(), Ordering::AcqRel);
        _ = entry.owner.compare_exchange(inner, outer, order, Ordering::Relaxed);
    }
}
