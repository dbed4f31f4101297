//! Memory that is not Rust's: the C library's heap between live blocks, and what the program maps.
//!
//! The standard library keeps some of its own there, and C code what it was given. What the C
//! library itself has taken back is left out, as far as the order of its chunks tells: each begins
//! with its size, with the lowest bit saying whether the one before it is in use.

use crate::heap::word;
use crate::modules;
use crate::reach::{Graph, Scan};
use crate::roots::{CONTROL_BLOCK_SIZE, Root};

pub(crate) const PAGE: usize = 1 << 12;

/// In front of what `malloc` hands out.
const CHUNK_HEADER: usize = 16;
/// From the beginning of a chunk to a block of ours in it.
const TO_BLOCK: usize = CHUNK_HEADER + 16;
/// The most chunks that are followed from one block to the next.
const MAX_CHUNKS: usize = 1 << 20;
/// Where the first chunk of a heap is at the latest.
const FIRST_CHUNK: usize = 1 << 12;

/// Whether the page of an address has memory.
pub(crate) fn is_present(address: usize) -> bool {
    let mut present = [0_u8; 1];
    let page = (address & !(PAGE - 1)) as *mut libc::c_void;
    // SAFETY: one byte for the page is written to the array. What is not mapped is an error.
    let known = unsafe { libc::mincore(page, PAGE, present.as_mut_ptr()) } == 0;
    known && present[0] & 1 != 0
}

/// Whether a mapping is the stack of a thread that has ended: glibc keeps it for the next one, with
/// all that was on it. The control block at its end has its own address in two places.
fn is_of_a_thread(root: &Root) -> bool {
    const ALIGN: usize = 64;
    const NEAR: usize = 1 << 14;
    let from = root.end.saturating_sub(NEAR).max(root.start).next_multiple_of(ALIGN);
    let mut place = from;
    while place + CONTROL_BLOCK_SIZE <= root.end {
        if place.is_multiple_of(PAGE) && !is_present(place) {
            place += PAGE;
            continue;
        }
        // SAFETY: the page is present, and so is all of a line in it.
        if [place, place + 16].iter().all(|at| unsafe { word(*at) } == place) {
            return true;
        }
        place += ALIGN;
    }
    false
}

/// A chunk's size, and whether the one before it is in use.
///
/// # Safety
///
/// Its header must be readable.
unsafe fn chunk(place: usize) -> (usize, bool) {
    // SAFETY: the caller's promise.
    let size = unsafe { word(place + 8) };
    (size & !7, size & 1 != 0)
}

/// The word by which glibc knows, in front of what a small free chunk still holds, that a thread
/// keeps it for itself. It is the same in the whole process. 0 where it cannot be found out.
pub(crate) fn free_mark() -> usize {
    // Sizes of which a thread hardly keeps any.
    let marks = [984, 952].map(|size| {
        // SAFETY: any size will do.
        let place = std::hint::black_box(unsafe { libc::malloc(size) });
        if place.is_null() {
            return 0;
        }
        // SAFETY: from the C library, and nobody has it.
        unsafe { libc::free(place) };
        // SAFETY: the thread keeps the chunk, so that its memory is there.
        unsafe { word(place as usize + 8) }
    });
    if marks[0] == marks[1] { marks[0] } else { 0 }
}

impl Graph<'_> {
    /// Scans the thread-locals of a thread in a module.
    pub(crate) fn scan_locals(&mut self, root: &Root, scan: Scan) {
        let pointer = self.roots.threads[root.thread].pointer;
        let Some((number, size)) = self.roots.modules[root.module].thread_locals else { return };
        if !is_present(pointer) {
            return;
        }
        // SAFETY: the thread was there a moment ago, and its control block still is.
        if let Some(start) = unsafe { modules::thread_locals_of(pointer, number) } {
            self.scan_present(start, start, start + size, scan);
        }
    }

    /// Scans what the kernel has given memory for.
    pub(crate) fn scan_present(&mut self, zero: usize, start: usize, end: usize, scan: Scan) {
        let mut page = start & !(PAGE - 1);
        while page < end {
            if is_present(page) {
                self.scan(zero, page.max(start), (page + PAGE).min(end), scan);
            }
            page += PAGE;
        }
    }

    pub(crate) fn scan_foreign(&mut self, root: &Root, scan: Scan) {
        if is_of_a_thread(root) || !is_present(root.start) {
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

    /// What is before the first block: the heap's own management, and chunks.
    fn scan_first_gap(&mut self, root: &Root, first: usize, scan: Scan) {
        let chunks = (0..FIRST_CHUNK).step_by(CHUNK_HEADER).map(|at| root.start + at);
        let target = first.saturating_sub(TO_BLOCK);
        for place in chunks.take_while(|place| *place <= target) {
            if self.follow_chunks(root, place, target, None) {
                self.follow_chunks(root, place, target, Some(scan));
                return;
            }
        }
        self.scan_present(root.start, root.start, first, scan);
    }

    /// What is between two blocks.
    fn scan_gap(&mut self, root: &Root, (start, end): (usize, usize), next: usize, scan: Scan) {
        let place = start - TO_BLOCK;
        let size = if place >= root.start {
            // SAFETY: the block is live, and what `malloc` gave for it begins with a chunk's
            // header.
            unsafe { chunk(place) }.0
        } else {
            0
        };
        let after = place.wrapping_add(size);
        let is_last = next == root.end;
        let target = if is_last { root.end } else { next - TO_BLOCK };
        // Of the header behind it, a chunk in use has the first word.
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

    /// Goes from a chunk to a place where another one begins, and scans those in use on the way.
    /// `false` where the way does not lead there.
    fn follow_chunks(
        &mut self,
        root: &Root,
        mut place: usize,
        target: usize,
        scan: Option<Scan>,
    ) -> bool {
        let to_the_end = target == root.end;
        for _ in 0..MAX_CHUNKS {
            if place == target || (to_the_end && place + TO_BLOCK >= target) {
                return true;
            }
            if place > target {
                return false;
            }
            // SAFETY: within the mapping, which has at least a chunk's header left here.
            let (size, _) = unsafe { chunk(place) };
            if size < TO_BLOCK || !size.is_multiple_of(CHUNK_HEADER) {
                // Behind the last chunk of a heap there is nothing.
                return to_the_end && size == 0;
            }
            let next = place.wrapping_add(size);
            if next < place || next > target {
                return false;
            }
            // The last chunk of a heap is its reserve.
            let in_use = next + CHUNK_HEADER <= root.end
                // SAFETY: as above.
                && unsafe { chunk(next) }.1;
            // SAFETY: a chunk has at least two words.
            let mark = unsafe { word(place + CHUNK_HEADER + 8) };
            let is_free = mark != 0 && mark == self.query.free_mark;
            if let Some(scan) = scan.filter(|_| in_use && !is_free) {
                self.scan_present(root.start, place + CHUNK_HEADER, next + 8, scan);
            }
            place = next;
        }
        false
    }
}
