//! The shadow map: the addresses of all live blocks.
//!
//! One byte stands for 16 bytes of address space. It is set once the header of a block at that
//! address is complete, and cleared before the block is freed. So the live blocks of a process are
//! known at any time, at the cost of a store an event, without a lock, a search or a list.
//!
//! The bytes of each granule of 256 MiB are mapped when its first block comes, and take memory only
//! where there are blocks. A directory of the granules covers the whole address space.

use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// The number of bits of an address in a program's memory.
const ADDRESS_BITS: u32 = if cfg!(target_arch = "x86_64") { 47 } else { 48 };
/// The number of bits of an address within a granule.
pub(crate) const GRANULE_BITS: u32 = 28;
/// The number of bits of an address for which a byte stands.
pub(crate) const UNIT_BITS: u32 = 4;
/// The size of a granule's bytes.
const CHUNK_SIZE: usize = 1 << (GRANULE_BITS - UNIT_BITS);
/// The number of granules.
pub(crate) const GRANULES: usize = 1 << (ADDRESS_BITS - GRANULE_BITS);

/// An entry of the directory for which no memory could be mapped. Lower values are not mapped yet.
pub(crate) const UNMAPPABLE: usize = 1;

/// Where the bytes of each granule are: the number to add to an address divided by 16.
pub(crate) static DIRECTORY: [AtomicUsize; GRANULES] = [const { AtomicUsize::new(0) }; GRANULES];

/// How many entries of the directory share a flag in [`USED`].
const SPAN: usize = 512;
/// Which parts of the directory have entries.
static USED: [AtomicU8; GRANULES / SPAN] = [const { AtomicU8::new(0) }; GRANULES / SPAN];

/// Whether every live block has been marked.
static COMPLETE: AtomicBool = AtomicBool::new(true);

/// Marks the header of a live block. It must be complete.
#[inline(always)]
pub(crate) fn mark(header_addr: usize) {
    match entry_of(header_addr) {
        Some(entry) if entry > UNMAPPABLE => set(entry, header_addr),
        _ => mark_first(header_addr),
    }
}

/// Removes the mark of a block that is about to be freed or moved.
#[inline(always)]
pub(crate) fn unmark(header_addr: usize) {
    if let Some(entry) = entry_of(header_addr).filter(|entry| *entry > UNMAPPABLE) {
        store(entry, header_addr, 0);
    }
}

#[inline(always)]
fn entry_of(header_addr: usize) -> Option<usize> {
    Some(DIRECTORY.get(header_addr >> GRANULE_BITS)?.load(Ordering::Acquire))
}

/// Headers are aligned to 8 bytes, so the mark says in which half of the 16 bytes this one is.
#[inline(always)]
fn set(entry: usize, header_addr: usize) {
    store(entry, header_addr, 1 | (header_addr & 8) as u8);
}

#[inline(always)]
fn store(entry: usize, header_addr: usize, value: u8) {
    let byte = entry.wrapping_add(header_addr >> UNIT_BITS) as *const AtomicU8;
    // SAFETY: the entry is that of the address, so the sum is the address of a byte of a chunk,
    // which is never unmapped. Bytes are only accessed as atomic integers.
    unsafe { &*byte }.store(value, Ordering::Release);
}

/// Marks a header in a granule that may have no memory yet.
#[cold]
#[inline(never)]
pub(crate) extern "C" fn mark_first(header_addr: usize) {
    let granule = header_addr >> GRANULE_BITS;
    match DIRECTORY.get(granule).map(|entry| map(granule, entry)) {
        Some(entry) if entry > UNMAPPABLE => set(entry, header_addr),
        _ => COMPLETE.store(false, Ordering::Relaxed),
    }
}

/// Maps the bytes of a granule, unless another thread has done so, and returns its entry.
fn map(granule: usize, entry: &AtomicUsize) -> usize {
    let known = entry.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: an anonymous mapping at an address of the kernel's choice overlaps no other memory.
    let chunk = unsafe { libc::mmap(null_mut(), CHUNK_SIZE, access, flags, -1, 0) };
    let mut fresh = UNMAPPABLE;
    if chunk != libc::MAP_FAILED {
        // Huge pages would take memory where there are no blocks.
        for advice in [libc::MADV_NOHUGEPAGE, libc::MADV_DONTDUMP] {
            // SAFETY: the range is the new mapping, and neither advice changes its contents.
            unsafe { libc::madvise(chunk, CHUNK_SIZE, advice) };
        }
        fresh = (chunk as usize).wrapping_sub(granule << (GRANULE_BITS - UNIT_BITS));
    }
    let stored = entry.compare_exchange(0, fresh, Ordering::AcqRel, Ordering::Acquire);
    if let Err(by_another) = stored {
        if chunk != libc::MAP_FAILED {
            // SAFETY: the mapping is this call's own, and no other thread has seen its address.
            unsafe { libc::munmap(chunk, CHUNK_SIZE) };
        }
        return by_another;
    }
    USED[granule / SPAN].store(1, Ordering::Release);
    fresh
}

/// Returns whether the map has every live block. It has not where memory for it was refused.
pub fn is_complete() -> bool {
    COMPLETE.load(Ordering::Relaxed)
}

/// The marks of a granule.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// The first address of the granule.
    pub granule_addr: usize,
    /// The address of its bytes.
    pub start: usize,
}

impl Chunk {
    /// The number of bytes, each of which stands for 16.
    pub const LEN: usize = CHUNK_SIZE;

    /// Returns the address of the header that the byte at `offset` marks, `None` if it marks none.
    #[inline(always)]
    pub fn header_at(self, offset: usize) -> Option<usize> {
        // SAFETY: callers pass offsets below `LEN`, and the chunk is never unmapped.
        let mark = unsafe { &*((self.start + offset) as *const AtomicU8) }.load(Ordering::Acquire);
        if mark == 0 {
            return None;
        }
        Some(self.granule_addr + (offset << UNIT_BITS) + (mark & 8) as usize)
    }
}

/// Calls `each` with every chunk, in the order of their granules. It does not allocate.
pub fn each_chunk(mut each: impl FnMut(Chunk)) {
    let mut granule = 0;
    while granule < GRANULES {
        if granule.is_multiple_of(SPAN) && USED[granule / SPAN].load(Ordering::Acquire) == 0 {
            granule += SPAN;
            continue;
        }
        let entry = DIRECTORY[granule].load(Ordering::Acquire);
        if entry > UNMAPPABLE {
            let start = entry.wrapping_add(granule << (GRANULE_BITS - UNIT_BITS));
            each(Chunk { granule_addr: granule << GRANULE_BITS, start });
        }
        granule += 1;
    }
}

/// Returns the memory that the map occupies.
pub fn ranges() -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    each_chunk(|chunk| ranges.push(chunk.start..chunk.start + Chunk::LEN));
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The marked headers from `start` to `end`.
    fn marked(start: usize, end: usize) -> Vec<usize> {
        let mut headers = Vec::new();
        each_chunk(|chunk| {
            let bytes = 0..Chunk::LEN;
            headers.extend(bytes.filter_map(|offset| chunk.header_at(offset)));
        });
        headers.retain(|header| (start..end).contains(header));
        headers
    }

    #[test]
    fn marks_are_found_until_they_are_removed() {
        // No allocator returns addresses of this granule.
        let base = 5 << GRANULE_BITS;
        let headers = [base, base + 16, base + 40, base + (1 << GRANULE_BITS) - 16];
        headers.into_iter().for_each(mark);
        assert_eq!(marked(base, base + (1 << GRANULE_BITS)), headers);
        unmark(headers[1]);
        assert_eq!(marked(base, base + 100), [headers[0], headers[2]]);
        headers.into_iter().for_each(unmark);
        assert_eq!(marked(base, base + (1 << GRANULE_BITS)), []);
    }

    #[test]
    fn an_address_outside_of_the_map_makes_it_incomplete() {
        assert_eq!(entry_of(1 << ADDRESS_BITS), None);
        unmark(1 << ADDRESS_BITS);
        assert!(is_complete());
    }
}
