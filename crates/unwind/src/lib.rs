//! Walks the stack of the calling thread.
//!
//! Internal to leakcheck, no stability promise.
//!
//! On Linux with glibc a walk follows the program's own unwind tables. The rule of every return
//! address is cached for the process ([`rules`]), and the last walk for the thread
//! ([`walk_cache`]). Elsewhere, and where a rule is not simple, the platform's unwinder
//! ([`platform`]) walks instead: it finds the same frames and takes some fifty times as long.
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

#[cfg(all(table_unwinder, leakcheck_compare))]
#[allow(unsafe_code, reason = "registers a function for the end of the process")]
mod compare;
#[cfg(table_unwinder)]
mod eh_frame;
#[cfg(table_unwinder)]
#[allow(unsafe_code, reason = "asks glibc for unwind tables")]
mod objects;
#[cfg(table_unwinder)]
#[allow(unsafe_code, reason = "reads the stack")]
mod plain;
#[allow(unsafe_code, reason = "calls the platform's unwinder")]
mod platform;
#[allow(unsafe_code, reason = "reads registers")]
mod registers;
#[cfg(table_unwinder)]
mod rule;
#[cfg(table_unwinder)]
mod rules;
#[allow(unsafe_code, reason = "walks the stack")]
mod walk;
#[allow(unsafe_code, reason = "reads the words of the stack that led to the last walk's frames")]
pub mod walk_cache;
#[cfg(all(table_unwinder, target_arch = "x86_64"))]
#[allow(unsafe_code, reason = "walks the stack, in assembly")]
pub mod x86_64;

#[cfg(all(test, table_unwinder))]
#[allow(unsafe_code, reason = "walks stacks of its own making")]
mod tests;

pub use registers::Registers;
#[cfg(table_unwinder)]
pub use rules::lock_linker;
#[cfg(table_unwinder)]
pub use rules::{TABLE as RULES, Table};
#[cfg(all(table_unwinder, leakcheck_compare))]
pub use walk::compare_with_platform;
pub use walk::{Walk, forget_rules, generation, prepare, walk, walk_by_platform, walk_by_rules};

/// The most frames of a stack that are kept: of a deeper one the newest and the oldest.
pub const MAX_FRAMES: usize = 128;

/// Of a stack that is deeper than [`MAX_FRAMES`], how many of its oldest frames are kept.
pub const OLDEST_FRAMES: usize = 32;
