//! Who started which child process, and where: noted by the functions of [`starting`](super::starting).
//!
//! Nothing here allocates, locks or waits: a child may fork in its turn before it is another program.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::calls_in_progress::STARTING;
use super::owner::Owner;
use super::recorded_stack::RecordedStack;
use super::wait::is_child;
use leakcheck_ledger::SiteId;
use leakcheck_ledger::{epoch, thread};
use leakcheck_system::arena::Zeroed;
use leakcheck_system::fixed_table::Table;
use leakcheck_unwind::Registers;

#[repr(C)]
struct Entry {
    owner: AtomicU64,
    /// 0 where the entry is free, and [`BEING_WRITTEN`].
    pid: AtomicI32,
    stack: RecordedStack,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Entry {}

const BEING_WRITTEN: c_int = -1;

/// Of more children at a time, the later ones are not noted.
const ROOM: usize = 1 << 10;

static ENTRIES: Table<Entry> = Table::new(ROOM);

/// To be called when a region opens.
pub(crate) fn prepare() {
    if cfg!(tracks_handles) {
        ENTRIES.prepare();
    }
}

/// The caller has started a child.
pub(crate) fn started(pid: c_int, from: &Registers) {
    if pid > 0 && epoch::any_open() {
        super::process::keeping_errno(|| note(pid, from));
    }
}

/// Starts a child of leakcheck's own, by a call that has no hook. In the child, nothing is done after
/// that call.
#[inline(always)]
pub(crate) fn start_own_child(start: &mut dyn FnMut() -> c_int) -> c_int {
    if !cfg!(tracks_handles) {
        return start();
    }
    let watched = STARTING.begins();
    let pid = start();
    if pid != 0 {
        started(pid, &Registers::here());
        STARTING.ends(watched);
    }
    pid
}

#[inline(never)]
fn note(pid: c_int, from: &Registers) {
    if super::process::is_elsewhere() {
        return;
    }
    let thread = thread::here();
    let owner = Owner::here(thread);
    let Some(entry) = claim(pid) else { return };
    entry.owner.store(owner.word(), Ordering::Relaxed);
    entry.stack.record(thread, from);
    entry.pid.store(pid, Ordering::Release);
}

/// An entry to be written: one of an earlier child with this number, else one that is free, or whose child was waited
/// for.
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
pub(crate) fn starter(pid: c_int) -> Owner {
    find(pid).map_or(Owner::UNKNOWN, |entry| Owner::of_word(entry.owner.load(Ordering::Relaxed)))
}

/// Where a child was started; 0 where that is not known.
pub(crate) fn started_at(pid: c_int) -> SiteId {
    find(pid).map_or(0, |entry| entry.stack.call_site())
}

/// Makes call sites of all places.
pub(crate) fn keep_call_sites() {
    let entries = (0..ROOM).map_while(|index| ENTRIES.get(index));
    let used = entries.take_while(|entry| entry.pid.load(Ordering::Acquire) != 0);
    used.for_each(|entry| _ = entry.stack.call_site());
}

/// The children of an inner region pass to the one around it.
pub(crate) fn pass_on(inner: Owner, outer: Owner) {
    for entry in (0..ROOM).map_while(|index| ENTRIES.get(index)) {
        if entry.pid.load(Ordering::Acquire) == 0 {
            break;
        }
        let (inner, outer, order) = (inner.word(), outer.word(), Ordering::AcqRel);
        _ = entry.owner.compare_exchange(inner, outer, order, Ordering::Relaxed);
    }
}

#[cfg(all(test, tracks_handles))]
mod tests {
    use super::*;

    #[test]
    fn no_check_takes_leakchecks_own_child_for_its_own() {
        let mut owner = Owner::UNKNOWN;
        crate::check(crate::Options::new().name("starts leakcheck's own child"), || {
            let _untracked = thread::Untracked::new();
            // SAFETY: the child waits until the parent ends it, and does nothing else.
            let child = start_own_child(&mut || unsafe {
                libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as c_int
            });
            if child == 0 {
                // SAFETY: waits for a signal.
                while unsafe { libc::pause() } != 0 {}
            }
            owner = starter(child);
            // SAFETY: nobody has waited for the child yet.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: a child of this process.
            unsafe { libc::waitpid(child, &mut 0, libc::__WALL) };
        });
        assert_eq!(owner, Owner::LEAKCHECK);
    }
}
