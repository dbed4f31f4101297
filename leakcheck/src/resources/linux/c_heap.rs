//! Growth of the C library's heap by anything but Rust's blocks.
//!
//! glibc reports how many bytes of its heap are in use in the whole process. By default Rust's
//! blocks and leakcheck's own data are part of it. The ledger knows the sizes of Rust's blocks,
//! which bound the sizes of their chunks. The upper bound is subtracted, so the reported growth is
//! a lower bound.
//!
//! The error is at most 16 bytes for each Rust block allocated or freed. Freed chunks in a thread's
//! cache count as in use for glibc. Those of the calling thread are [counted](cached) and subtracted.
//! Those of other threads, up to 236 KiB each, are not known.

mod cached;

use std::ffi::c_void;
use std::hint::black_box;
use std::mem::transmute;
use std::sync::OnceLock;

use leakcheck_ledger::accounts::account::Counts;
use leakcheck_system::overhead;
use libc::mallinfo2;

type MallInfo = unsafe extern "C" fn() -> mallinfo2;

/// The overhead of a chunk of glibc's heap, and the alignment of its size.
const CHUNK_OVERHEAD: i64 = 8;
const CHUNK_ALIGNMENT: i64 = 16;
const PAGE: i64 = 4096;
/// The smallest chunk that glibc may map on its own, in whole pages.
const MMAP_THRESHOLD: i64 = 128 << 10;

/// The state of the heap when a region opened.
#[derive(Debug)]
pub(super) struct Baseline {
    in_use: i64,
    own: i64,
    /// Whether Rust's blocks are in this heap.
    holds_blocks: bool,
}

/// Whether the C library reports how much of its heap is in use.
pub(super) fn can_see() -> bool {
    mallinfo().is_some()
}

impl Baseline {
    /// Reads the heap's size. Called last when a region opens, after leakcheck's own allocations.
    pub(super) fn new() -> Option<Self> {
        let holds_blocks = holds_blocks()?;
        Some(Self { in_use: in_use()?, own: overhead::bytes(holds_blocks), holds_blocks })
    }

    /// The growth since, at least. `counts` must cover all blocks of the process.
    pub(super) fn growth(&self, counts: &Counts) -> Option<i64> {
        let grown = in_use()? - self.in_use - (overhead::bytes(self.holds_blocks) - self.own);
        Some(if self.holds_blocks { grown - max_growth_by_blocks(counts) } else { grown })
    }
}

/// The most bytes by which allocating and freeing Rust's blocks can have grown the heap.
fn max_growth_by_blocks(counts: &Counts) -> i64 {
    const HEADER: i64 = leakcheck_ledger::alloc::HEADER as i64;
    let (bytes, blocks) = (counts.live_bytes() as i64, counts.live_blocks() as i64);
    let taken = bytes
        + bytes / (MMAP_THRESHOLD / PAGE)
        + blocks * (HEADER + CHUNK_OVERHEAD + CHUNK_ALIGNMENT - 1);
    let (bytes, blocks) = (counts.released_bytes as i64, counts.released_blocks as i64);
    taken - bytes - blocks * (HEADER + CHUNK_OVERHEAD)
}

/// Whether the program's allocator takes its blocks from this heap.
///
/// A test block shows it. Other threads may free as much meanwhile, so it takes several attempts.
fn holds_blocks() -> Option<bool> {
    static HOLDS: OnceLock<bool> = OnceLock::new();
    if let Some(holds) = HOLDS.get() {
        return Some(*holds);
    }
    const SIZE: usize = 100 << 10;
    let mut holds = false;
    for _ in 0..3 {
        let before = in_use()?;
        let block = black_box(Vec::<u8>::with_capacity(SIZE));
        holds |= in_use()? - before >= SIZE as i64;
        drop(block);
    }
    Some(*HOLDS.get_or_init(|| holds))
}

/// The number of bytes in use, without what the calling thread's cache contains. This locks the
/// heap's arenas one after another.
fn in_use() -> Option<i64> {
    let mallinfo = mallinfo()?;
    // Counting takes chunks from the heap that stay in the cache, so it comes first.
    let cached = cached::bytes();
    // SAFETY: `mallinfo2` has no preconditions.
    let info = unsafe { mallinfo() };
    Some((info.uordblks + info.hblkhd) as i64 - cached)
}

/// `mallinfo2`, which glibc has since 2.33.
fn mallinfo() -> Option<MallInfo> {
    static FUNCTION: OnceLock<Option<MallInfo>> = OnceLock::new();
    *FUNCTION.get_or_init(|| {
        // SAFETY: the name is a C string, and `RTLD_DEFAULT` is a valid handle.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"mallinfo2".as_ptr()) };
        // SAFETY: glibc declares `mallinfo2` with this type, and a null pointer is `None`.
        unsafe { transmute::<*mut c_void, Option<MallInfo>>(found) }
    })
}
