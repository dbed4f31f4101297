//! Walks the stack of the calling thread.
//!
//! Internal to leakcheck, no stability promise.
//!
//! On Linux with glibc, a walk follows the unwind tables of the program and its libraries. The rule
//! for each return address is cached for the process (`rule_cache`), and the previous walk for
//! the thread ([`walk_cache`]). On other platforms, and for code whose rules are not simple, the
//! platform's unwinder (`platform`) walks the stack. It finds the same frames and takes about
//! fifty times as long.
#![allow(rustdoc::private_intra_doc_links, reason = "read by those who work on leakcheck")]
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

#[cfg(all(table_unwinder, leakcheck_compare))]
#[allow(unsafe_code, reason = "registers an exit handler")]
mod compare;
#[cfg(table_unwinder)]
mod eh_frame;
#[cfg(table_unwinder)]
#[allow(unsafe_code, reason = "locates unwind tables through glibc")]
mod objects;
#[allow(unsafe_code, reason = "calls the platform's unwinder")]
mod platform;
#[allow(unsafe_code, reason = "reads registers")]
mod registers;
#[cfg(table_unwinder)]
mod rule;
#[cfg(table_unwinder)]
mod rule_cache;
#[cfg(table_unwinder)]
#[allow(unsafe_code, reason = "reads the stack")]
mod uncached;
#[allow(unsafe_code, reason = "walks the stack")]
mod walk;
#[allow(unsafe_code, reason = "reads the stack words that the previous walk has read")]
pub mod walk_cache;
#[cfg(all(table_unwinder, target_arch = "x86_64"))]
#[allow(unsafe_code, reason = "walks the stack in assembly")]
pub mod x86_64;

#[cfg(all(test, table_unwinder))]
#[allow(unsafe_code, reason = "walks stacks that it creates")]
mod tests;

pub use registers::Registers;
#[cfg(table_unwinder)]
pub use rule_cache::{RULES, RuleCache, lock_linker};
#[cfg(all(table_unwinder, leakcheck_compare))]
pub use walk::compare_with_platform;
pub use walk::{
    WalkResult, forget_rules, prepare, rule_generation, walk, walk_by_platform, walk_by_rules,
};

/// The maximum number of frames that are kept. Of a deeper stack, these are the newest and the
/// oldest.
pub const MAX_FRAMES: usize = 128;

/// The number of oldest frames that are kept of a stack with more than [`MAX_FRAMES`].
pub const OLDEST_FRAMES: usize = 32;
