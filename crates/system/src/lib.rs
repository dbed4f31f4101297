//! Memory, counters and locks for code that runs inside an allocator and across a fork.
//!
//! Internal to leakcheck, no stability promise.
#![allow(rustdoc::private_intra_doc_links, reason = "read by those who work on leakcheck")]
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

#[allow(unsafe_code, reason = "returns references into memory that it allocates")]
pub mod arena;
#[allow(unsafe_code, reason = "reads and writes counters in assembly")]
pub mod counter;
#[cfg(unix)]
#[allow(unsafe_code, reason = "returns references into mapped memory")]
pub mod fixed_table;
#[allow(unsafe_code, reason = "registers fork handlers and shares guards between them")]
pub mod fork;
pub mod overhead;
#[allow(unsafe_code, reason = "maps memory")]
pub mod pages;
pub mod pool;
#[cfg(not(target_os = "linux"))]
#[path = "no_spare_fd.rs"]
pub mod spare_fd;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "opens, closes and identifies a descriptor by system calls")]
pub mod spare_fd;
