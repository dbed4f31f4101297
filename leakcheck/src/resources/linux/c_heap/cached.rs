//! The freed chunks that glibc keeps in the calling thread's cache.
//!
//! The cache has a list for each size. The first word of a freed chunk is the address of the next
//! one in its list, in the encoding that glibc has used since 2.32. The second word is a key, which is the
//! same for all chunks in all caches. Freeing a chunk puts it at the start of its list, if the list
//! is not full.

use std::ffi::c_void;
use std::hint::black_box;

/// The sizes that are cached: from 24 bytes in steps of 16.
const SMALLEST: usize = 24;
const STEP: usize = 16;
const LISTS: usize = 64;
/// More than a list has, unless the user has changed glibc's settings.
const MAX_LENGTH: usize = 1 << 16;
const CHUNK_OVERHEAD: usize = 8;

/// The bytes of all chunks in the cache, or 0 where they cannot be recognized.
pub(super) fn bytes() -> i64 {
    if cfg!(not(target_pointer_width = "64")) {
        return 0;
    }
    let Some(key) = key() else { return 0 };
    let sizes = (0..LISTS).map(|list| SMALLEST + list * STEP);
    sizes.map(|size| (length(size, key) * (size + CHUNK_OVERHEAD)) as i64).sum()
}

/// The number of cached chunks of a size.
fn length(size: usize, key: usize) -> usize {
    let Some(mut chunk) = freed(size) else { return 0 };
    let mut length = 0;
    while chunk != 0 && chunk.is_multiple_of(STEP) && length < MAX_LENGTH {
        // SAFETY: the chunk is the one that was freed, or one that the list leads to.
        let [next, found] = unsafe { words(chunk) };
        if found != key {
            break;
        }
        length += 1;
        chunk = next ^ (chunk >> 12);
    }
    length
}

/// The key, or `None` where freed chunks do not look like glibc's, as with another `malloc` or without
/// caches.
fn key() -> Option<usize> {
    const SIZE: usize = SMALLEST + 59 * STEP;
    let [first, second] = [allocated(SIZE)?, allocated(SIZE)?];
    // There is room for both chunks in the list, even if they come from it.
    for block in [first, second] {
        // SAFETY: the block comes from `malloc`, and nothing else knows it.
        unsafe { libc::free(block) };
    }
    let [first, second] = [first, second].map(|block| black_box(block.expose_provenance()));
    // SAFETY: the thread has just freed the chunk.
    let [_, first_key] = unsafe { words(first) };
    // SAFETY: the thread has just freed the chunk.
    let [next, key] = unsafe { words(second) };
    let is_list = next ^ (second >> 12) == first && first_key == key && key != 0;
    is_list.then_some(key)
}

/// The address of a chunk that was just freed.
fn freed(size: usize) -> Option<usize> {
    let block = allocated(size)?;
    // SAFETY: the block comes from `malloc`, and nothing else knows it.
    unsafe { libc::free(block) };
    Some(black_box(block.expose_provenance()))
}

fn allocated(size: usize) -> Option<*mut c_void> {
    // SAFETY: `malloc` accepts any size.
    let block: *mut c_void = black_box(unsafe { libc::malloc(size) });
    (!block.is_null()).then_some(block)
}

/// The first two words of a chunk.
///
/// # Safety
///
/// The address must be that of a chunk in the calling thread's cache, or of one that the thread has
/// just freed.
unsafe fn words(chunk: usize) -> [usize; 2] {
    let words = std::ptr::with_exposed_provenance::<[usize; 2]>(chunk);
    // SAFETY: small chunks are part of a heap, which stays mapped, and the caller guarantees that
    // this is one. Only the calling thread changes its cache.
    unsafe { words.read_volatile() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of a size that nothing else on the thread uses. It has room for seven chunks.
    #[test]
    fn the_chunks_of_a_list_are_counted() {
        const SIZE: usize = SMALLEST + 40 * STEP;
        let lengths = std::thread::spawn(|| {
            let key = key().expect("glibc caches freed chunks");
            let allocate = || allocated(SIZE).expect("there is memory");
            let mut blocks: Vec<*mut c_void> = (0..7).map(|_| allocate()).collect();
            for block in blocks.drain(..) {
                // SAFETY: the block comes from `malloc`, and nothing else knows it.
                unsafe { libc::free(block) };
            }
            let all = length(SIZE, key);
            blocks.extend((0..3).map(|_| allocate()));
            let rest = length(SIZE, key);
            for block in blocks {
                // SAFETY: the block comes from `malloc`, and nothing else knows it.
                unsafe { libc::free(block) };
            }
            (all, rest, length(SIZE, key))
        });
        assert_eq!(lengths.join().expect("the thread does not panic"), (7, 4, 7));
    }
}
