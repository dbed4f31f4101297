//! The list of all live blocks, in processes that look for what keeps blocks alive.
//!
//! A block may be referenced from any other block, including those that are older than the region.
//! The list therefore starts with the first allocation of the process, and only if the environment
//! asks for it. In such a process every event takes the slow path. An entry takes 16 bytes of the
//! system's memory. A block's header contains its index in the list, so that no event searches,
//! waits or locks.

use std::ffi::CStr;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use leakcheck_system::arena::Zeroed;
use leakcheck_system::pool::{Pool, PoolEntry};
use leakcheck_unwind::{self as unwind, Registers};

use crate::accounts::record::Record;
use crate::accounts::tag::Tag;
use crate::call_site::{self, SiteId};
use crate::header::{self, Header};
use crate::thread::{Thread, memory};

/// The variable by which users ask for reference paths.
const HOLDERS: &CStr = c"LEAK_HOLDERS";
/// The variable that is set in the process of a rerun.
pub const RERUN: &CStr = c"LEAKCHECK_HOLDERS_OF";

const UNDECIDED: u32 = 0;
const OFF: u32 = 1;
const ON: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(UNDECIDED);

/// An entry of the list, which may be free.
#[repr(C)]
struct ListEntry {
    /// The address of the block, 0 if the entry is free.
    block: AtomicU64,
    /// The requested size of the block. In a free entry, the index of the next free one.
    size: AtomicU64,
}

// SAFETY: all fields are atomic integers, for which zero is valid and which need no drop.
unsafe impl Zeroed for ListEntry {}

impl PoolEntry for ListEntry {
    fn next_free(&self) -> u32 {
        self.size.load(Ordering::Relaxed) as u32
    }

    fn set_next_free(&self, index: u32) {
        self.size.store(index.into(), Ordering::Relaxed);
    }
}

static ENTRIES: Pool<ListEntry> = Pool::new(12);

/// A live block.
#[derive(Clone, Copy)]
pub struct LiveBlock {
    pub addr: usize,
    /// The size that the program requested.
    pub size: usize,
}

/// Returns whether this process lists its live blocks.
#[inline(always)]
pub fn is_enabled() -> bool {
    STATE.load(Ordering::Relaxed) == ON
}

/// Called at every event on the slow path. At the first one, which precedes the first block of the
/// process, it decides whether live blocks are listed.
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

/// Adds a fresh block to the list and writes its header. `origin` is its tag and the registers of
/// the allocating function.
pub(crate) fn on_alloc(
    thread: &Thread,
    header_addr: usize,
    size: usize,
    origin: (Tag, &Registers),
) {
    if !is_enabled() {
        return;
    }
    memory::register(thread);
    let block = header_addr + header::SIZE;
    clear(block, block + size);
    let (index, entry) = ENTRIES.allocate().map_or((0, None), |(id, entry)| (id, Some(entry)));
    let header = Header { tag: origin.0, list_index: index, site: site_of(thread, origin) };
    // SAFETY: the caller has just allocated the block and its header, and no other thread has seen
    // it. The header is written before the entry is published, so that a reader of the list finds
    // the tag of every block.
    unsafe { (header_addr as *mut Header).write(header) };
    if let Some(entry) = entry {
        entry.size.store(size as u64, Ordering::Relaxed);
        entry.block.store(block as u64, Ordering::Release);
    }
}

/// Removes a block that is about to be freed.
pub(crate) fn on_free(header_addr: usize, size: usize) {
    if !is_enabled() {
        return;
    }
    let block = header_addr + header::SIZE;
    clear(block, block + size);
    let index = list_index(header_addr);
    if let Some(entry) = ENTRIES.get(index) {
        entry.block.store(0, Ordering::Release);
        ENTRIES.free(index);
    }
}

/// Updates the entry of a block whose size, and perhaps address, has changed.
pub(crate) fn on_realloc(header_addr: usize, old_size: usize, new_size: usize) {
    if !is_enabled() {
        return;
    }
    let block = header_addr + header::SIZE;
    clear(block + old_size, block + new_size);
    if let Some(entry) = ENTRIES.get(list_index(header_addr)) {
        entry.size.store(new_size as u64, Ordering::Relaxed);
        entry.block.store(block as u64, Ordering::Release);
    }
}

/// Updates the entry of a block that was copied from the address `old_block`, and clears the old
/// copy.
pub(crate) fn on_copy(header_addr: usize, old_size: usize, new_size: usize, old_block: usize) {
    on_realloc(header_addr, old_size, new_size);
    clear(old_block, old_block + old_size);
}

/// Updates the header of a block that another region owns from now on.
pub(crate) fn on_owner_change(thread: &Thread, header_addr: usize, origin: (Tag, &Registers)) {
    let header = Header {
        tag: origin.0,
        list_index: list_index(header_addr),
        site: site_of(thread, origin),
    };
    // SAFETY: the block is live, so its header is writable, and the caller is reallocating the
    // block, so no other thread accesses the header.
    unsafe { (header_addr as *mut Header).write(header) };
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

fn list_index(header_addr: usize) -> u32 {
    // SAFETY: the block is live, and in a process that lists its blocks `on_alloc` has written the
    // header of each of them.
    unsafe { (*(header_addr as *const Header)).list_index }
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

/// Returns the memory that the list occupies.
pub fn ranges() -> Vec<Range<usize>> {
    ENTRIES.ranges()
}

/// Returns an upper bound of the indices in the list.
pub fn end() -> u32 {
    ENTRIES.end()
}

/// Returns the block at an index of the list, `None` if the entry is free.
#[inline(always)]
pub fn get(index: u32) -> Option<LiveBlock> {
    let entry = ENTRIES.get(index)?;
    let addr = entry.block.load(Ordering::Acquire) as usize;
    if addr == 0 {
        return None;
    }
    Some(LiveBlock { addr, size: entry.size.load(Ordering::Relaxed) as usize })
}

/// Returns the tag of a block and its call site.
///
/// # Safety
///
/// The block must be in the list, and no other thread may change the list or the block's header
/// during the call.
#[inline(always)]
pub unsafe fn owner_of(block: usize) -> (Tag, SiteId) {
    let header = (block - header::SIZE) as *const Header;
    // SAFETY: `on_alloc` wrote the header before it published the block, and the caller promises
    // that the block is live and that nothing changes the header during the read.
    let Header { tag, site, .. } = unsafe { header.read() };
    (tag, tag.record().map_or(site, Record::site))
}
