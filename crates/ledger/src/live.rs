//! The list of all live blocks, kept from the first allocation on in processes that are asked to.
//!
//! Who holds a block is told by all others, also by those that are older than the region, so a list
//! of its own is kept where `LEAK_HOLDERS` asks for it, and nowhere else: there every event goes the
//! ledger's long way. An entry is 16 bytes in memory of the system's. A block's header says which
//! one is its own, so that no event searches, waits or locks; entries of blocks that are gone are
//! used again.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::accounts::tag::Tag;
use crate::call_site::{self, SiteId};
use crate::thread::Thread;
use crate::thread::memory;
use leakcheck_system::arena::{Arena, Zeroed};
use leakcheck_unwind::{self as unwind, Registers};

/// The variable that asks for holders.
pub const VARIABLE: &CStr = c"LEAK_HOLDERS";
/// Set for the process of a rerun.
pub const RERUN: &CStr = c"LEAKCHECK_HOLDERS_OF";

const UNDECIDED: u32 = 0;
const OFF: u32 = 1;
const ON: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(UNDECIDED);

/// A block that is live, or room for one.
#[repr(C)]
pub struct Entry {
    /// Where the block begins for its user; 0 where there is none.
    block: AtomicU64,
    /// How many bytes its user asked for; without a block, the next free entry.
    size: AtomicU64,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Entry {}

static ENTRIES: Arena<Entry> = Arena::new(12);

/// Entries without a block: the first one's index, and above it a count of changes, so that a change
/// back is not mistaken for none.
static FREE: AtomicU64 = AtomicU64::new(0);

/// What lies in front of a block, as `alloc/header.rs` describes it.
#[repr(C)]
struct Front {
    tag: Tag,
    entry: u32,
    /// The call site of a block that no region owns.
    site: SiteId,
}

/// The bytes from the header_addr of a block to the block.
const FRONT: usize = size_of::<Front>();

/// A block as the list knows it.
#[derive(Clone, Copy)]
pub struct Live {
    pub block: usize,
    pub size: usize,
}

/// Whether this process keeps the list.
#[inline(always)]
pub fn are_listed() -> bool {
    STATE.load(Ordering::Relaxed) == ON
}

/// Decides it at the first event of the process, before any block is there.
pub(crate) fn decide() {
    if STATE.load(Ordering::Relaxed) == UNDECIDED {
        decide_by_environment();
    }
}

/// The environment is read as it is: nothing here may allocate.
#[cold]
fn decide_by_environment() {
    let on = says(VARIABLE, b"on") || says(RERUN, b"");
    if on {
        // Of what the C library keeps in this way, it does not say that it is free.
        // SAFETY: a setting of the C library's allocator, which allocates nothing.
        unsafe { libc::mallopt(libc::M_MXFAST, 0) };
        #[cfg(asm_hot_path)]
        crate::deferred_free::start();
    }
    STATE.store(if on { ON } else { OFF }, Ordering::SeqCst);
}

/// Whether a variable has a value; the empty one is "any".
fn says(name: &CStr, value: &[u8]) -> bool {
    // SAFETY: the name is a C string; `getenv` reads the environment, which nobody changes before
    // the first allocation of the process.
    let found = unsafe { libc::getenv(name.as_ptr()) };
    if found.is_null() {
        return false;
    }
    // SAFETY: a value of the environment is a C string.
    let found = unsafe { CStr::from_ptr(found) }.to_bytes();
    value.is_empty() || found == value
}

/// A block came, at a header_addr whose header is to be written.
pub(crate) fn came(thread: &Thread, header_addr: usize, size: usize, by: (Tag, &Registers)) {
    if !are_listed() {
        return;
    }
    memory::note(thread);
    clear(header_addr + FRONT, header_addr + FRONT + size);
    let front = header_addr as *mut Front;
    let (tag, site) = (by.0, site_of(thread, by));
    let (index, entry) = match free_entry() {
        Some((index, entry)) => (index, Some(entry)),
        None => (0, None),
    };
    // SAFETY: the caller has just got the block that this lies in front of. The tag comes before the
    // entry, so that whoever finds the block in the list finds its tag too.
    unsafe { front.write(Front { tag, entry: index, site }) };
    if let Some(entry) = entry {
        entry.size.store(size as u64, Ordering::Relaxed);
        entry.block.store((header_addr + FRONT) as u64, Ordering::Release);
    }
}

/// A block is about to go.
pub(crate) fn went(header_addr: usize, size: usize) {
    if !are_listed() {
        return;
    }
    clear(header_addr + FRONT, header_addr + FRONT + size);
    let index = entry_of(header_addr);
    if let Some(entry) = ENTRIES.get(index) {
        entry.block.store(0, Ordering::Release);
        put_by(index, entry);
    }
}

/// A block has another size, and perhaps another header_addr.
pub(crate) fn moved(header_addr: usize, old: usize, size: usize) {
    if !are_listed() {
        return;
    }
    clear(header_addr + FRONT + old, header_addr + FRONT + size);
    if let Some(entry) = ENTRIES.get(entry_of(header_addr)) {
        entry.size.store(size as u64, Ordering::Relaxed);
        entry.block.store((header_addr + FRONT) as u64, Ordering::Release);
    }
}

/// A block is moved by hand: its old bytes are where nobody uses them any more.
pub(crate) fn moves(header_addr: usize, (old, new): (usize, usize), left: usize) {
    moved(header_addr, old, new);
    clear(left, left + old);
}

/// A block has another owner.
pub(crate) fn passes_on(thread: &Thread, header_addr: usize, by: (Tag, &Registers)) {
    let front = Front { tag: by.0, entry: entry_of(header_addr), site: site_of(thread, by) };
    // SAFETY: the block is live, and its header was written when it came.
    unsafe { (header_addr as *mut Front).write(front) };
}

/// Clears memory that is fresh or not used any more: the pointers that are left there would look like
/// holders. Whole pages of large blocks are given back to the kernel, so that they
/// take no room before they are used.
fn clear(start: usize, end: usize) {
    const LARGE: usize = 1 << 20;
    const PAGE: usize = 4096;
    if start >= end {
        return;
    }
    let wipe = |start: usize, end: usize| {
        // SAFETY: part of a block that its user has not seen yet, or sees no more.
        unsafe { (start as *mut u8).write_bytes(0, end - start) };
    };
    if end - start < LARGE {
        return wipe(start, end);
    }
    let (first, last) = (start.next_multiple_of(PAGE), end & !(PAGE - 1));
    wipe(start, first);
    wipe(last, end);
    // SAFETY: private memory of the heap reads as zero afterwards. What the kernel refuses stays as
    // it is, which is no worse than it was.
    unsafe { libc::madvise(first as *mut libc::c_void, last - first, libc::MADV_DONTNEED) };
}

fn entry_of(header_addr: usize) -> u32 {
    // SAFETY: where the list is kept, every block was written there when it came.
    unsafe { (*(header_addr as *const Front)).entry }
}

fn free_entry() -> Option<(u32, &'static Entry)> {
    loop {
        let head = FREE.load(Ordering::Acquire);
        let Some(entry) = ENTRIES.get(head as u32) else { break };
        let next = entry.size.load(Ordering::Relaxed);
        if change_free(head, next as u32) {
            return Some((head as u32, entry));
        }
    }
    let index = ENTRIES.push()?;
    Some((index, ENTRIES.get(index)?))
}

fn put_by(index: u32, entry: &Entry) {
    loop {
        let head = FREE.load(Ordering::Acquire);
        entry.size.store(u64::from(head as u32), Ordering::Relaxed);
        if change_free(head, index) {
            return;
        }
    }
}

fn change_free(head: u64, to: u32) -> bool {
    let changed = ((head >> 32).wrapping_add(1) << 32) | u64::from(to);
    FREE.compare_exchange(head, changed, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Where a block came from that no region owns, as far as that is cheap to tell: the unwind rules have
/// to be known.
fn site_of(thread: &Thread, (tag, from): (Tag, &Registers)) -> SiteId {
    if thread.untracked.get() || tag.record().is_some() {
        return 0;
    }
    let base = match thread.stack_base.get() as usize {
        0 => memory::end_of_stack(from.stack_pointer),
        base => base,
    };
    const MOST: usize = 48;
    let (mut frames, mut count) = ([0_usize; MOST], 0);
    unwind::walk_by_rules(from, base, |address| {
        if count < MOST {
            frames[count] = address;
            count += 1;
        }
    });
    frames[..count].reverse();
    if count == 0 { 0 } else { call_site::of_addresses(&frames[..count], 0) }
}

/// Where the list itself is in memory.
pub fn places() -> Vec<std::ops::Range<usize>> {
    ENTRIES.places()
}

/// One more than the number of entries that may have a block.
pub fn end() -> u32 {
    ENTRIES.end()
}

/// The block of an entry, if it has one.
#[inline(always)]
pub fn get(index: u32) -> Option<Live> {
    let entry = ENTRIES.get(index)?;
    let block = entry.block.load(Ordering::Acquire) as usize;
    if block == 0 {
        return None;
    }
    Some(Live { block, size: entry.size.load(Ordering::Relaxed) as usize })
}

/// Whose a block is: its tag, and its call site.
///
/// # Safety
///
/// The block must be in the list, in a process that nobody else changes.
#[inline(always)]
pub unsafe fn owner_of(block: usize) -> (Tag, SiteId) {
    let front = (block - FRONT) as *const Front;
    // SAFETY: the caller's promise: what lies in front of a listed block was written when it came.
    let Front { tag, site, .. } = unsafe { front.read() };
    (tag, tag.record().map_or(site, crate::accounts::record::Record::site))
}
