//! Memory that Rust's allocator does not manage: the C library's heap between live blocks, and the
//! program's own mappings.
//!
//! The standard library and C code may keep pointers to blocks there. Free chunks of the C
//! library's heap are skipped where the chain of chunks can be followed: each starts with its size,
//! whose lowest bit says whether the preceding chunk is in use.

use crate::heap::word;
use crate::modules;
use crate::pages::{PAGE, Pages};
use crate::reach::{Graph, Scan};
use crate::roots::{CONTROL_BLOCK_SIZE, Root};

/// The size of the header before the memory that `malloc` returns.
const CHUNK_HEADER: usize = 16;
/// The distance from the start of a chunk to a Rust block in it.
const TO_BLOCK: usize = CHUNK_HEADER + 16;
/// The maximum number of chunks between two blocks.
const MAX_CHUNKS: usize = 1 << 20;
/// The first chunk of a heap starts within this distance.
const FIRST_CHUNK: usize = 1 << 12;

/// Whether a mapping is the stack of a thread that has ended. glibc keeps stacks for new threads,
/// with their contents. A control block at the end contains its own address twice.
fn is_thread_stack(root: &Root, pages: &Pages) -> bool {
    const ALIGN: usize = 64;
    const NEAR: usize = 1 << 14;
    let from = root.end.saturating_sub(NEAR).max(root.start).next_multiple_of(ALIGN);
    let mut address = from;
    while address + CONTROL_BLOCK_SIZE <= root.end {
        if address.is_multiple_of(PAGE) && !pages.is_readable(address) {
            address += PAGE;
            continue;
        }
        // SAFETY: the page is resident, and both words are in it because the address is aligned to
        // 64 bytes.
        if [address, address + 16].iter().all(|at| unsafe { word(*at) } == address) {
            return true;
        }
        address += ALIGN;
    }
    false
}

/// The size of a chunk, and whether the preceding chunk is in use.
///
/// # Safety
///
/// The header of the chunk must be readable.
unsafe fn chunk(address: usize) -> (usize, bool) {
    // SAFETY: the caller guarantees that the header is readable.
    let size = unsafe { word(address + 8) };
    (size & !7, size & 1 != 0)
}

/// The value that glibc writes into free chunks that a thread has cached. It is the same in the
/// whole process, or 0 if it cannot be determined.
pub(crate) fn free_mark() -> usize {
    // Sizes that threads rarely cache.
    let marks = [984, 952].map(|size| {
        // SAFETY: `malloc` accepts any size.
        let block = std::hint::black_box(unsafe { libc::malloc(size) });
        if block.is_null() {
            return 0;
        }
        // SAFETY: the chunk comes from `malloc` and is not used by anything else.
        unsafe { libc::free(block) };
        // SAFETY: the thread caches the freed chunk, so its memory stays mapped.
        unsafe { word(block as usize + 8) }
    });
    if marks[0] == marks[1] { marks[0] } else { 0 }
}

impl Graph<'_> {
    /// Scans a thread's thread-locals in a module.
    pub(crate) fn scan_locals(&mut self, root: &Root, scan: Scan) {
        let pointer = self.roots.threads[root.thread].pointer;
        let Some((number, size)) = self.roots.modules[root.module].thread_locals else { return };
        if !self.roots.pages.is_readable(pointer) {
            return;
        }
        // SAFETY: the control block was found when threads were listed, and its page is resident.
        if let Some(start) = unsafe { modules::thread_locals_of(pointer, number) } {
            self.scan_present(start, start, start + size, scan);
        }
    }

    /// Scans the readable pages of a range.
    pub(crate) fn scan_present(&mut self, zero: usize, start: usize, end: usize, scan: Scan) {
        let roots = self.roots;
        roots.pages.each_run(start, end, |from, to| {
            self.scan(zero, from, to, scan);
            self.in_time().is_ok()
        });
    }

    pub(crate) fn scan_foreign(&mut self, root: &Root, scan: Scan) {
        if is_thread_stack(root, &self.roots.pages) {
            return;
        }
        let mut block = self.heap.first_from(root.start);
        if block == self.heap.count || self.heap.start(block) >= root.end {
            return self.scan_present(root.start, root.start, root.end, scan);
        }
        if self.heap.start(block) > root.start {
            self.scan_first_gap(root, self.heap.start(block), scan);
        }
        while block < self.heap.count && self.heap.start(block) < root.end {
            let start = self.heap.start(block);
            let end = start + 8 * self.heap.words(block);
            block += 1;
            let next = if block < self.heap.count { self.heap.start(block) } else { usize::MAX };
            self.scan_gap(root, (start, end), next.min(root.end), scan);
        }
    }

    /// Scans the memory before the first block: the heap's own data and chunks.
    fn scan_first_gap(&mut self, root: &Root, first: usize, scan: Scan) {
        let chunks = (0..FIRST_CHUNK).step_by(CHUNK_HEADER).map(|at| root.start + at);
        let target = first.saturating_sub(TO_BLOCK);
        for chunk_at in chunks.take_while(|chunk_at| *chunk_at <= target) {
            if self.follow_chunks(root, chunk_at, target, None) {
                self.follow_chunks(root, chunk_at, target, Some(scan));
                return;
            }
        }
        self.scan_present(root.start, root.start, first, scan);
    }

    /// Scans the memory between two blocks.
    fn scan_gap(&mut self, root: &Root, (start, end): (usize, usize), next: usize, scan: Scan) {
        let chunk_at = start - TO_BLOCK;
        let size = if chunk_at >= root.start {
            // SAFETY: the block is live and follows its header and that of the chunk.
            unsafe { chunk(chunk_at) }.0
        } else {
            0
        };
        let after = chunk_at.wrapping_add(size);
        let is_last = next == root.end;
        let target = if is_last { root.end } else { next - TO_BLOCK };
        // A chunk in use extends over the first word of the next chunk's header.
        let is_chunk = size >= TO_BLOCK && after + 8 >= end;
        if is_chunk && after == target {
            return;
        }
        if is_chunk && self.follow_chunks(root, after, target, None) {
            self.follow_chunks(root, after, target, Some(scan));
        } else {
            self.scan_present(root.start, end, next, scan);
        }
    }

    /// Follows the chain of chunks from `chunk_at` to `target`, scanning those in use. Returns whether
    /// the chain leads there.
    fn follow_chunks(
        &mut self,
        root: &Root,
        mut chunk_at: usize,
        target: usize,
        scan: Option<Scan>,
    ) -> bool {
        let to_the_end = target == root.end;
        for _ in 0..MAX_CHUNKS {
            if chunk_at == target || (to_the_end && chunk_at + TO_BLOCK >= target) {
                return true;
            }
            if chunk_at > target {
                return false;
            }
            // SAFETY: the address is within the mapping, at least one header before its end.
            let (size, _) = unsafe { chunk(chunk_at) };
            if size < TO_BLOCK || !size.is_multiple_of(CHUNK_HEADER) {
                // Nothing follows the last chunk of a heap.
                return to_the_end && size == 0;
            }
            let next = chunk_at.wrapping_add(size);
            if next < chunk_at || next > target {
                return false;
            }
            // The last chunk of a heap is its unused rest.
            let in_use = next + CHUNK_HEADER <= root.end
                // SAFETY: the header of the next chunk is within the mapping, as just checked.
                && unsafe { chunk(next) }.1;
            // SAFETY: the chunk is within the mapping and has at least two words after its header.
            let mark = unsafe { word(chunk_at + CHUNK_HEADER + 8) };
            let is_free = mark != 0 && mark == self.query.free_mark;
            if let Some(scan) = scan.filter(|_| in_use && !is_free) {
                self.scan_present(root.start, chunk_at + CHUNK_HEADER, next + 8, scan);
            }
            chunk_at = next;
        }
        false
    }
}
