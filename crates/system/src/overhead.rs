//! How much heap memory leakcheck itself uses, so that no test is charged for it.

use std::sync::atomic::{AtomicI64, Ordering};

/// The heap memory of tables from the system's allocator.
static TABLES: AtomicI64 = AtomicI64::new(0);

/// The heap memory of leakcheck's own blocks from the program's allocator.
static BLOCKS: AtomicI64 = AtomicI64::new(0);

/// Adds a table of `size` bytes.
pub fn add_table(size: usize) {
    TABLES.fetch_add(heap_size(size), Ordering::Relaxed);
}

/// Subtracts a table of `size` bytes.
pub fn remove_table(size: usize) {
    TABLES.fetch_sub(heap_size(size), Ordering::Relaxed);
}

/// Adds a block of `size` bytes, including its header.
pub fn add_block(size: usize) {
    BLOCKS.fetch_add(heap_size(size), Ordering::Relaxed);
}

/// Subtracts a block of `size` bytes, including its header.
pub fn remove_block(size: usize) {
    BLOCKS.fetch_sub(heap_size(size), Ordering::Relaxed);
}

/// Returns the bytes in use. `with_blocks` includes those from the program's allocator.
pub fn bytes(with_blocks: bool) -> i64 {
    let blocks = if with_blocks { BLOCKS.load(Ordering::Relaxed) } else { 0 };
    TABLES.load(Ordering::Relaxed) + blocks
}

/// Returns how many bytes of glibc's heap an allocation takes: 8 bytes more than its size, rounded
/// up to a multiple of 16. It ignores that glibc may map large allocations in whole pages.
fn heap_size(size: usize) -> i64 {
    ((size + 8 + 15) & !15).max(32) as i64
}
