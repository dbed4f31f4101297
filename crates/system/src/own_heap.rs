//! What leakcheck itself keeps in the heap, so that no test is charged for it.

use std::sync::atomic::{AtomicI64, Ordering};

/// In tables that come from the system's allocator.
static TABLES: AtomicI64 = AtomicI64::new(0);

/// In blocks that come from the program's allocator.
static BLOCKS: AtomicI64 = AtomicI64::new(0);

/// A table of this size came.
pub fn table_came(size: usize) {
    TABLES.fetch_add(piece(size), Ordering::Relaxed);
}

/// A table of this size went.
pub fn table_went(size: usize) {
    TABLES.fetch_sub(piece(size), Ordering::Relaxed);
}

/// A block of this size came, its header included.
pub fn block_came(size: usize) {
    BLOCKS.fetch_add(piece(size), Ordering::Relaxed);
}

/// A block of this size went, its header included.
pub fn block_went(size: usize) {
    BLOCKS.fetch_sub(piece(size), Ordering::Relaxed);
}

/// What it comes to now, with what lies in the program's allocator or without.
pub fn bytes(with_blocks: bool) -> i64 {
    let blocks = if with_blocks { BLOCKS.load(Ordering::Relaxed) } else { 0 };
    TABLES.load(Ordering::Relaxed) + blocks
}

/// The piece of glibc's heap that an allocation takes: 8 bytes more, in steps of 16. Large ones may be mapped by themselves, in
/// whole pages, which is not worth to be known.
fn piece(size: usize) -> i64 {
    ((size + 8 + 15) & !15).max(32) as i64
}
