//! Finds what keeps a leaked block alive: the reference path from a static, thread-local or stack,
//! or the fact that the block is lost.
//!
//! Internal to leakcheck, no stability promise.
//!
//! At the verdict, a [`snapshot`] of the process is taken by a child process. It knows all live
//! blocks from the shadow map, and all [roots], and follows from there every word that may be a pointer
//! ([`reach`]). Blocks that it does not reach are [`lost`]. The child returns addresses
//! ([`answer`]), for which the parent looks up [names].
#![allow(rustdoc::private_intra_doc_links, reason = "read by those who work on leakcheck")]
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

#[cfg(holders)]
#[allow(unsafe_code, reason = "shares memory between two processes")]
mod answer;
#[cfg(holders)]
#[allow(unsafe_code, reason = "maps memory")]
mod array;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the kernel's clocks")]
mod budget;
#[cfg(holders)]
mod dominators;
#[cfg(not(holders))]
mod elsewhere;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod evidence;
#[cfg(holders)]
mod explain;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod foreign;
#[cfg(holders)]
mod groups;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod heap;
#[cfg(holders)]
mod labels;
#[cfg(holders)]
mod lost;
#[cfg(holders)]
#[allow(unsafe_code, reason = "lists what the dynamic linker has loaded")]
mod modules;
#[cfg(holders)]
mod names;
#[cfg(holders)]
#[allow(unsafe_code, reason = "asks the kernel about memory")]
mod pages;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod reach;
#[cfg(holders)]
mod retained;
#[cfg(holders)]
mod roots;
#[cfg(holders)]
#[allow(unsafe_code, reason = "creates a process")]
mod snapshot;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod spare;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads and clears the stack")]
mod stack;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads records of other threads")]
mod threads;

#[cfg(not(holders))]
pub use elsewhere::{
    CAN_EXPLAIN, SavedRegisters, StackSnapshot, clear_dead, explain, stack_pointer,
};
#[cfg(holders)]
pub use explain::{CAN_EXPLAIN, explain};
#[cfg(holders)]
pub use stack::{SavedRegisters, StackSnapshot, clear_dead, stack_pointer};

use leakcheck_ledger::{RegionId, SiteId};

/// Calls a function that starts a child process and returns its id, or 0 in the child.
///
/// The implementation must record the child as leakcheck's own, and must do nothing in the child.
pub type StartChild = fn(start: &mut dyn FnMut() -> i32) -> i32;

/// A question about the holders of blocks.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The regions whose blocks are in question.
    pub owners: &'a [RegionId],
    /// The calling thread's stack before the body of the test ran.
    pub stack_before: &'a StackSnapshot,
    /// The registers when judging began.
    pub registers: &'a SavedRegisters,
    /// The call sites whose types must be known.
    pub sites: &'a [SiteId],
    pub start_child: StartChild,
}
