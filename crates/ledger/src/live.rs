//! Live blocks, for the question what keeps them alive.
//!
//! The [shadow map](crate::shadow) knows the address of each block, and the block's header its size,
//! owner and call site. Blocks that no region owns have no call site. Memory may contain stale
//! pointers, most of them in the spare capacity of collections. So the first bytes of every block are
//! cleared, and those by which it grows.
//!
//! A *thorough* process, if the environment asks for one, does more from its first allocation on: it
//! captures the call site of every block, clears memory that is not in use, and delays the reuse of
//! small blocks. Every event then takes the slow path.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use leakcheck_unwind::{self as unwind, Registers};

use crate::accounts::record::Record;
use crate::accounts::tag::Tag;
use crate::call_site::{self, SiteId};
use crate::header::{self, Header};
use crate::packed_size::PackedSize;
use crate::thread::{Thread, memory};

/// The variable by which users ask for reference paths.
const HOLDERS: &CStr = c"LEAK_HOLDERS";
/// The variable that is set in the process of a rerun.
pub const RERUN: &CStr = c"LEAKCHECK_HOLDERS_OF";

const UNDECIDED: u32 = 0;
const OFF: u32 = 1;
const ON: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(UNDECIDED);

/// Returns whether this process is thorough.
#[inline(always)]
pub fn is_thorough() -> bool {
    STATE.load(Ordering::Relaxed) == ON
}

/// Called at every event on the slow path. At the first one, which precedes the first block of the
/// process, it decides whether the process is thorough.
pub(crate) fn decide() {
    if STATE.load(Ordering::Relaxed) == UNDECIDED {
        decide_by_environment();
    }
}

#[cold]
fn decide_by_environment() {
    let on = variable(HOLDERS).is_some_and(|value| value == b"on") || variable(RERUN).is_some();
    if on {
        // Blocks in the C library's fast bins are free without being marked as such.
        // SAFETY: `mallopt` changes a setting of the C library's allocator and allocates nothing.
        unsafe { libc::mallopt(libc::M_MXFAST, 0) };
        #[cfg(asm_hot_path)]
        crate::deferred_free::start();
    }
    STATE.store(if on { ON } else { OFF }, Ordering::SeqCst);
}

/// Returns the value of an environment variable, without the allocations of `std::env::var`.
fn variable(name: &CStr) -> Option<&'static [u8]> {
    // SAFETY: `name` is a C string. The program has not allocated yet, so no other thread exists
    // that could change the environment.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: `getenv` returned a C string. Callers drop it before any other code of the program
    // runs, so it is not changed while it is borrowed.
    Some(unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// Prepares a fresh block in a thorough process. `origin` is its tag and the registers of the
/// allocating function.
pub(crate) fn on_alloc(
    thread: &Thread,
    header_addr: usize,
    size: usize,
    origin: (Tag, &Registers),
) {
    memory::register(thread);
    if !is_thorough() {
        return;
    }
    let block = header_addr + header::SIZE;
    clear(block, block + size);
    write_site(header_addr, site_of(thread, origin));
}

/// Clears the first bytes of a fresh block. Most collections start with so few, and as few cost next
/// to nothing.
#[inline(always)]
pub(crate) fn clear_start(header_addr: usize, size: usize) {
    const MAX: usize = 64;
    let block = header_addr + header::SIZE;
    clear(block, block + if size < MAX { size } else { MAX });
}

/// Clears a block that is about to be freed.
pub(crate) fn on_free(header_addr: usize, size: usize) {
    if is_thorough() {
        let block = header_addr + header::SIZE;
        clear(block, block + size);
    }
}

/// Clears the part of a block by which it has grown, which costs no more than the copy that the
/// growth often is. Spare capacity of a collection is where most stale pointers are. The end of a
/// large block is fresh from the kernel, and stays untouched.
pub(crate) fn clear_growth(header_addr: usize, old_size: usize, new_size: usize) {
    const MAX: usize = 128 << 10;
    let block = header_addr + header::SIZE;
    let end = if is_thorough() { new_size } else { new_size.min(old_size + MAX) };
    clear(block + old_size, block + end);
}

/// Prepares a block that was copied from the address `old_block`, and clears the old copy.
pub(crate) fn on_copy(header_addr: usize, old_size: usize, new_size: usize, old_block: usize) {
    clear_growth(header_addr, old_size, new_size);
    clear(old_block, old_block + old_size);
}

/// Captures the call site of a block that another region owns from now on.
pub(crate) fn on_owner_change(thread: &Thread, header_addr: usize, origin: (Tag, &Registers)) {
    write_site(header_addr, site_of(thread, origin));
}

fn write_site(header_addr: usize, site: SiteId) {
    // SAFETY: the caller is allocating or reallocating the block, so its header is writable and no
    // other thread accesses it.
    unsafe { (*(header_addr as *mut Header)).site = site };
}

/// Clears memory of a block that is fresh or no longer in use, so that stale pointers in it do not
/// count as references. Whole pages of large blocks are returned to the kernel and cost no memory
/// until they are used.
fn clear(start: usize, end: usize) {
    const LARGE: usize = 1 << 20;
    const PAGE: usize = 4096;
    if start >= end {
        return;
    }
    let zero = |start: usize, end: usize| {
        // SAFETY: the range is within a block that the user does not access: either it has not
        // been returned to the user yet, or the user has given it up.
        unsafe { (start as *mut u8).write_bytes(0, end - start) };
    };
    if end - start < LARGE {
        return zero(start, end);
    }
    let (first, last) = (start.next_multiple_of(PAGE), end & !(PAGE - 1));
    zero(start, first);
    zero(last, end);
    // SAFETY: the pages are within a block that the user does not access. Private anonymous memory
    // reads as zero afterwards, and if the kernel refuses, the memory is unchanged and still valid.
    unsafe { libc::madvise(first as *mut libc::c_void, last - first, libc::MADV_DONTNEED) };
}

/// Returns the call site of a block without a record, 0 if it is unknown. It walks by the rules
/// that are already cached and stops where one is missing.
fn site_of(thread: &Thread, (tag, from): (Tag, &Registers)) -> SiteId {
    const MAX_FRAMES: usize = 48;
    if thread.untracked.get() || tag.record().is_some() {
        return 0;
    }
    let base = match thread.stack_base.get() as usize {
        0 => memory::stack_end(from.stack_pointer),
        base => base,
    };
    let (mut frames, mut count) = ([0_usize; MAX_FRAMES], 0);
    unwind::walk_by_rules(from, base, |address| {
        if count < MAX_FRAMES {
            frames[count] = address;
            count += 1;
        }
    });
    frames[..count].reverse();
    if count == 0 { 0 } else { call_site::intern_addresses(&frames[..count], 0) }
}

/// Returns the size, the tag and the call site of a block.
///
/// # Safety
///
/// The shadow map must have the block, and no other thread may free or reallocate it during the
/// call.
#[inline(always)]
pub unsafe fn header_of(block: usize) -> (PackedSize, Tag, SiteId) {
    let header = (block - header::SIZE) as *const Header;
    // SAFETY: a block that the shadow map has is live and has a complete header, and the caller
    // promises that nothing changes it during the read.
    let Header { tag, size, site } = unsafe { header.read() };
    // Only a thorough process has written the site of a block without a record.
    let unowned = if is_thorough() { site } else { 0 };
    (size, tag, tag.record().map_or(unowned, Record::site))
}
