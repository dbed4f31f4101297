//! How much the heap of the C library has grown beside what Rust's blocks take of it.
//!
//! glibc says how many bytes of its heap are in use, in the whole process. By default Rust's blocks lie there too, and
//! what leakcheck keeps. Of Rust's blocks the ledger knows the sizes, and so between which bounds their pieces of the
//! heap are; the upper one is taken off, so that the growth that is told is there for certain. It is known to within 16
//! bytes for each of Rust's blocks that came or went, and what `malloc` keeps at hand for its threads, up to some 200 kB
//! for each, counts as in use.

use std::ffi::c_void;
use std::hint::black_box;
use std::mem::transmute;
use std::sync::OnceLock;

use libc::mallinfo2;

use leakcheck_ledger::accounts::account::Counts;
use leakcheck_system::own_heap;

type Ask = unsafe extern "C" fn() -> mallinfo2;

/// What glibc puts in front of a piece, and the multiple that its pieces are of.
const IN_FRONT: i64 = 8;
const STEP: i64 = 16;
/// Pieces of this size and more may be mapped by themselves, in whole pages.
const PAGE: i64 = 4096;
const PAGES_FROM: i64 = 128 << 10;

/// What was so when a region opened.
#[derive(Debug)]
pub(super) struct Baseline {
    in_use: i64,
    own: i64,
    /// Whether Rust's blocks lie in this heap.
    holds_blocks: bool,
}

/// Whether the C library tells.
pub(super) fn can_see() -> bool {
    ask().is_some()
}

impl Baseline {
    /// To be called last, when the region is open.
    pub(super) fn new() -> Option<Self> {
        let holds_blocks = holds_blocks()?;
        Some(Self { in_use: in_use()?, own: own_heap::bytes(holds_blocks), holds_blocks })
    }

    /// By how much the heap has grown at least. `counts` are those of all blocks of the process.
    pub(super) fn growth(&self, counts: &Counts) -> Option<i64> {
        let grown = in_use()? - self.in_use - (own_heap::bytes(self.holds_blocks) - self.own);
        Some(if self.holds_blocks { grown - at_most(counts) } else { grown })
    }
}

/// The pieces of the heap that Rust's blocks have taken, at the most, without those that they gave back, at the least.
fn at_most(counts: &Counts) -> i64 {
    const HEADER: i64 = leakcheck_ledger::alloc::HEADER as i64;
    let (bytes, blocks) = (counts.live_bytes() as i64, counts.live_blocks() as i64);
    let taken = bytes + bytes / (PAGES_FROM / PAGE) + blocks * (HEADER + IN_FRONT + STEP - 1);
    let (bytes, blocks) = (counts.released_bytes as i64, counts.released_blocks as i64);
    taken - bytes - blocks * (HEADER + IN_FRONT)
}

/// Whether a block of the program's allocator is in the heap. Other threads may free as much at the same time, so that
/// it is asked a few times.
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

/// How many bytes of the heap are in use. It takes the locks of the heap, one after the other.
fn in_use() -> Option<i64> {
    // SAFETY: it takes no argument and reads figures.
    let info = unsafe { ask()?() };
    Some((info.uordblks + info.hblkhd) as i64)
}

/// glibc's `mallinfo2`, which older ones do not have.
fn ask() -> Option<Ask> {
    static ASK: OnceLock<Option<Ask>> = OnceLock::new();
    *ASK.get_or_init(|| {
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"mallinfo2".as_ptr()) };
        // SAFETY: the function of this name has this type; null becomes `None`.
        unsafe { transmute::<*mut c_void, Option<Ask>>(found) }
    })
}
