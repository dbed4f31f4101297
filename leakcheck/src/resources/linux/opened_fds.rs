//! Which region opened each file descriptor, and where, as the [hooks](crate::hooks) record it.
//!
//! Recording never allocates, locks or waits: signal handlers and children of `fork` open files
//! too.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use leakcheck_ledger::{SiteId, epoch, thread};
use leakcheck_system::arena::Zeroed;
use leakcheck_system::fixed_table::FixedTable;
use leakcheck_unwind::Registers;

use super::creation::Creation;
use super::owner::Owner;
use super::process::{is_borrowed, keeping_errno};

#[repr(C)]
struct OpenedFd {
    creation: Creation,
    /// The [identity] of the file when it was opened. It differs when the descriptor was closed by
    /// a call that no hook sees and opened again.
    identity: AtomicU64,
}

// SAFETY: all fields are atomic integers or arrays of them, for which zero is a value.
unsafe impl Zeroed for OpenedFd {}

/// The descriptors by number. Larger numbers are not recorded.
static FDS: FixedTable<OpenedFd> = FixedTable::new(1 << 16);

/// One more than the largest number that was recorded.
static END: AtomicUsize = AtomicUsize::new(0);

/// Creates the table. Called when a region opens.
pub(crate) fn prepare() {
    if cfg!(tracks_handles) {
        FDS.prepare();
    }
}

/// Records that the calling thread has opened a descriptor. Negative numbers are failed calls.
#[inline(always)]
pub(crate) fn opened(fd: c_int, from: &Registers) {
    if let Some(opened) = get(fd) {
        if epoch::any_region_open() {
            record(opened, fd, from);
        } else {
            opened.creation.set_owner(Owner::UNKNOWN);
        }
    }
}

#[inline(never)]
fn record(opened: &OpenedFd, fd: c_int, from: &Registers) {
    if is_borrowed() {
        return;
    }
    thread::with(|thread| {
        let owner = Owner::here(thread);
        // Readers must not combine the new identity with the previous owner.
        opened.creation.set_owner(Owner::UNKNOWN);
        opened.identity.store(current_identity(fd), Ordering::Relaxed);
        if owner != Owner::NOBODY && owner != Owner::LEAKCHECK {
            opened.creation.record_stack(thread, from);
        }
        opened.creation.set_owner(owner);
        if END.load(Ordering::Relaxed) <= fd as usize {
            END.fetch_max(fd as usize + 1, Ordering::Relaxed);
        }
    });
}

/// Records that an open descriptor was made to refer to another file, as by `dup2`.
///
/// The descriptor keeps its owner, because the call has not added one to the process.
pub(crate) fn replaced(fd: c_int) {
    let Some(opened) = get(fd).filter(|_| epoch::any_region_open()) else { return };
    if is_borrowed() {
        return;
    }
    if opened.creation.owner() == Owner::UNKNOWN {
        opened.creation.set_owner(Owner::NOBODY);
    }
    opened.identity.store(current_identity(fd), Ordering::Relaxed);
}

/// Marks a descriptor that the calling thread is about to close. Returns whether the caller must
/// call [`closed`] afterwards.
#[inline(always)]
pub(crate) fn closing(fd: c_int) -> bool {
    let Some(opened) = get(fd) else { return false };
    let is_recorded = opened.creation.owner() != Owner::UNKNOWN && !is_borrowed();
    if is_recorded {
        opened.creation.set_owner(Owner::CLOSING);
    }
    is_recorded
}

/// Forgets a descriptor that was closed, unless another thread has already reopened its number.
pub(crate) fn closed(fd: c_int) {
    if let Some(opened) = get(fd) {
        opened.creation.change_owner(Owner::CLOSING, Owner::UNKNOWN);
    }
}

/// Forgets all descriptors from `first` to `last`, which the calling thread is about to close.
pub(crate) fn closing_range(first: usize, last: usize) {
    let end = last.saturating_add(1);
    if first >= end.min(END.load(Ordering::Relaxed)) || is_borrowed() {
        return;
    }
    for (_, opened) in recorded().filter(|(fd, _)| (first..end).contains(fd)) {
        opened.creation.set_owner(Owner::UNKNOWN);
    }
}

/// The owner of a descriptor whose file has this [identity].
pub(crate) fn owner(fd: c_int, identity: u64) -> Owner {
    let Some(opened) = get(fd) else { return Owner::UNKNOWN };
    let owner = opened.creation.owner();
    let is_same = opened.identity.load(Ordering::Relaxed) == identity;
    if is_same || owner == Owner::CLOSING { owner } else { Owner::UNKNOWN }
}

/// The descriptors of some owners, for where they cannot be listed.
pub(crate) fn owned_by(owners: &[Owner]) -> Vec<c_int> {
    let numbers = recorded().filter_map(|(fd, _)| c_int::try_from(fd).ok());
    let is_owned =
        |fd: &c_int| identity(*fd).is_some_and(|identity| owners.contains(&owner(*fd, identity)));
    numbers.filter(is_owned).collect()
}

/// The call site that opened a descriptor, or 0 where it is unknown.
pub(crate) fn opened_at(fd: c_int) -> SiteId {
    let is_recorded = identity(fd).is_some_and(|identity| owner(fd, identity) != Owner::UNKNOWN);
    get(fd).filter(|_| is_recorded).map_or(0, |opened| opened.creation.call_site())
}

/// Turns the recorded stacks into call sites.
pub(crate) fn keep_call_sites() {
    for (_, opened) in recorded().filter(|(_, opened)| opened.creation.owner() != Owner::UNKNOWN) {
        opened.creation.call_site();
    }
}

/// Gives the descriptors of a nested region to the enclosing one.
pub(crate) fn pass_on(inner: Owner, outer: Owner) {
    recorded().for_each(|(_, opened)| opened.creation.change_owner(inner, outer));
}

fn get(fd: c_int) -> Option<&'static OpenedFd> {
    FDS.get(usize::try_from(fd).ok()?)
}

fn recorded() -> impl Iterator<Item = (usize, &'static OpenedFd)> {
    (0..END.load(Ordering::Relaxed)).filter_map(|fd| Some((fd, FDS.get(fd)?)))
}

fn current_identity(fd: c_int) -> u64 {
    let mut current = None;
    keeping_errno(|| current = identity(fd));
    current.unwrap_or(0)
}

/// A hash that distinguishes the open file from most others, or `None` where `fd` is not open or the
/// system does not answer.
pub(crate) fn identity(fd: c_int) -> Option<u64> {
    identify(fd).ok()
}

/// A hash that distinguishes the open file from most others.
///
/// # Errors
///
/// Returns `EBADF` where `fd` is not open, and another error where the system does not answer.
pub(crate) fn identify(fd: c_int) -> io::Result<u64> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` has room for the structure, and `fstat` accepts any number.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fstat` succeeded, so it has filled in the whole structure.
    let status = unsafe { status.assume_init() };
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    #[allow(clippy::useless_conversion, reason = "some of these types are narrower elsewhere")]
    let parts: [u64; 4] =
        [status.st_ino.into(), status.st_dev.into(), status.st_rdev.into(), status.st_mode.into()];
    Ok(parts.iter().fold(0, |hash: u64, part| (hash.rotate_left(7) ^ part).wrapping_mul(FACTOR)))
}
