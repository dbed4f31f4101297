//! Which region started each child process, and where, as the [hooks](crate::hooks) record it.
//!
//! Recording never allocates, locks or waits: a child of `fork` may itself fork.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, Ordering};

use leakcheck_ledger::{SiteId, epoch, thread};
use leakcheck_system::arena::Zeroed;
use leakcheck_system::fixed_table::FixedTable;
use leakcheck_unwind::Registers;

use super::calls_in_progress::STARTING;
use super::creation::Creation;
use super::owner::Owner;
use super::process::{is_borrowed, keeping_errno};
use super::wait::is_child;

#[repr(C)]
struct StartedChild {
    creation: Creation,
    /// 0 in an unused entry, or [`BEING_WRITTEN`].
    pid: AtomicI32,
}

// SAFETY: all fields are atomic integers or arrays of them, for which zero is a value.
unsafe impl Zeroed for StartedChild {}

const BEING_WRITTEN: c_int = -1;

/// The number of children that are recorded at a time.
const MAX_CHILDREN: usize = 1 << 10;

static CHILDREN: FixedTable<StartedChild> = FixedTable::new(MAX_CHILDREN);

/// Creates the table. Called when a region opens.
pub(crate) fn prepare() {
    if cfg!(tracks_handles) {
        CHILDREN.prepare();
    }
}

/// Records that the calling thread has started a child. Negative numbers are failed calls.
pub(crate) fn started(pid: c_int, from: &Registers) {
    if pid > 0 && epoch::any_region_open() {
        keeping_errno(|| record(pid, from));
    }
}

/// Starts a child of leakcheck's own by a call that has no hook. Like `start`, it returns 0 in the
/// child, where it touches nothing.
#[inline(always)]
pub(crate) fn start_own_child(start: &mut dyn FnMut() -> c_int) -> c_int {
    if !cfg!(tracks_handles) {
        return start();
    }
    let is_counted = STARTING.begin();
    let pid = start();
    if pid != 0 {
        started(pid, &Registers::current());
        STARTING.end(is_counted);
    }
    pid
}

#[inline(never)]
fn record(pid: c_int, from: &Registers) {
    if is_borrowed() {
        return;
    }
    thread::with(|thread| {
        let owner = Owner::here(thread);
        let Some(child) = claim(pid) else { return };
        child.creation.set_owner(owner);
        child.creation.record_stack(thread, from);
        child.pid.store(pid, Ordering::Release);
    });
}

/// Claims an entry: that of an earlier child with the same number, an unused one, or one whose
/// child has been waited for.
fn claim(pid: c_int) -> Option<&'static StartedChild> {
    let take = |child: &StartedChild, previous| {
        let (taken, order) = (BEING_WRITTEN, Ordering::AcqRel);
        child.pid.compare_exchange(previous, taken, order, Ordering::Relaxed).is_ok()
    };
    if let Some(earlier) = entries().find(|child| child.pid.load(Ordering::Relaxed) == pid) {
        return take(earlier, pid).then_some(earlier);
    }
    entries().find(|child| match child.pid.load(Ordering::Relaxed) {
        BEING_WRITTEN => false,
        previous => (previous == 0 || !is_child(previous)) && take(child, previous),
    })
}

/// The owner of a child.
pub(crate) fn owner(pid: c_int) -> Owner {
    find(pid).map_or(Owner::UNKNOWN, |child| child.creation.owner())
}

/// The children of some owners that have not been waited for, for where they cannot be listed.
pub(crate) fn owned_by(owners: &[Owner]) -> Vec<c_int> {
    let owned = used_entries().filter(|child| owners.contains(&child.creation.owner()));
    owned.map(|child| child.pid.load(Ordering::Acquire)).filter(|pid| is_child(*pid)).collect()
}

/// The call site that started a child, or 0 where it is unknown.
pub(crate) fn started_at(pid: c_int) -> SiteId {
    find(pid).map_or(0, |child| child.creation.call_site())
}

/// Turns the recorded stacks into call sites.
pub(crate) fn keep_call_sites() {
    used_entries().for_each(|child| _ = child.creation.call_site());
}

/// Gives the children of a nested region to the enclosing one.
pub(crate) fn pass_on(inner: Owner, outer: Owner) {
    used_entries().for_each(|child| child.creation.change_owner(inner, outer));
}

fn find(pid: c_int) -> Option<&'static StartedChild> {
    used_entries().find(|child| child.pid.load(Ordering::Acquire) == pid)
}

/// All entries that were ever used. Entries are taken in order and never become unused again.
fn used_entries() -> impl Iterator<Item = &'static StartedChild> {
    entries().take_while(|child| child.pid.load(Ordering::Acquire) != 0)
}

fn entries() -> impl Iterator<Item = &'static StartedChild> {
    (0..MAX_CHILDREN).map_while(|index| CHILDREN.get(index))
}

#[cfg(all(test, tracks_handles))]
mod tests {
    use super::*;

    #[test]
    fn a_child_of_leakcheck_belongs_to_no_check() {
        super::super::process::claim_memory();
        prepare();
        // Children are recorded while a region is open.
        epoch::region_opened(None);
        let untracked = thread::Untracked::new();
        // SAFETY: the child has a copy of this stack and only waits for the signal that ends it.
        let child = start_own_child(&mut || unsafe {
            libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as c_int
        });
        if child == 0 {
            // SAFETY: `pause` has no preconditions.
            while unsafe { libc::pause() } != 0 {}
        }
        let found = owner(child);
        // SAFETY: the child has not been waited for, so the number is still its own.
        unsafe { libc::kill(child, libc::SIGKILL) };
        // SAFETY: the status is written to a temporary that outlives the call.
        unsafe { libc::waitpid(child, &mut 0, libc::__WALL) };
        drop(untracked);
        epoch::region_closing(false);
        assert_eq!(found, Owner::LEAKCHECK);
    }
}
