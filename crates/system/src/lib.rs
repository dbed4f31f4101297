//! Memory, counters and locks for code that runs inside an allocator and across a fork.
//!
//! Internal to leakcheck, no stability promise.
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

#[allow(unsafe_code, reason = "hands out references into memory of the system's allocator")]
pub mod arena;
#[allow(unsafe_code, reason = "single instructions on words of memory")]
pub mod counter;
#[cfg(unix)]
#[allow(unsafe_code, reason = "a table in memory of the system's")]
pub mod fixed_table;
#[allow(unsafe_code, reason = "registers fork handlers and keeps guards between them")]
pub mod fork;
pub mod own_heap;
