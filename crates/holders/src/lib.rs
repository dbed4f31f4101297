//! What keeps a leaked block alive: the reference path from the static, thread-local or stack that
//! it is reachable from, or that there is none.
//!
//! Internal to leakcheck, no stability promise.
//!
//! A [snapshot](snapshot) of the process is taken at the verdict. All live blocks are known in it,
//! and so are the [roots]. Whatever looks like a pointer leads from there further ([`reach`]).
//! Blocks that are not reached are [`lost`]. The child that holds the snapshot answers with
//! addresses ([`answer`]), which get their [names] here.
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

#[cfg(holders)]
#[allow(unsafe_code, reason = "memory that two processes see")]
mod answer;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the kernel's clocks")]
mod budget;
#[cfg(holders)]
mod dominators;
#[cfg(not(holders))]
mod elsewhere;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads blocks as they lie there")]
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
#[allow(unsafe_code, reason = "asks the dynamic linker for its objects")]
mod modules;
#[cfg(holders)]
mod names;
#[cfg(holders)]
#[allow(unsafe_code, reason = "takes its memory from the kernel")]
mod pool;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod reach;
#[cfg(holders)]
mod retained;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads glibc's structures of threads")]
mod roots;
#[cfg(holders)]
#[allow(unsafe_code, reason = "makes a child")]
mod snapshot;
#[cfg(holders)]
#[allow(unsafe_code, reason = "clears what is left on a stack")]
mod stack;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads the state of other threads")]
mod threads;

#[cfg(not(holders))]
pub use elsewhere::{CAN_EXPLAIN, StackSnapshot, can_explain, clear_dead, explain};
#[cfg(holders)]
pub use explain::{CAN_EXPLAIN, can_explain, explain};
#[cfg(holders)]
pub use stack::{StackSnapshot, clear_dead};

use leakcheck_ledger::{RegionId, SiteId};

/// Starts a child process by the given call, which returns its number, or 0 in the child. The
/// caller of a query marks the child as leakcheck's own meanwhile. Nothing else may be done in the
/// child.
pub type StartChild = fn(start: &mut dyn FnMut() -> i32) -> i32;

/// Which blocks are asked about.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The regions that own them.
    pub owners: &'a [RegionId],
    /// The stack as it was before the body of the test ran.
    pub stack_before: &'a StackSnapshot,
    /// The call sites whose types have to be known.
    pub sites: &'a [SiteId],
    pub start_child: StartChild,
}
