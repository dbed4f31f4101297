//! The counting allocator, and its figures by owner and call site.
//!
//! Internal to leakcheck, no stability promise.
//!
//! [`alloc`] puts a header in front of every block and reports what happens to it as [`events`]. An
//! event is charged to the region that its [`thread`] works for: to a record of that region's
//! [account](accounts) for the [call site](call_site) that allocated. [`live`] lists all live blocks
//! in processes that are asked to. Nothing on the allocator's path allocates, locks, panics or
//! blocks.
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

pub mod accounts;
#[allow(unsafe_code, reason = "a global allocator")]
pub mod alloc;
#[allow(unsafe_code, reason = "says that zeroed memory is a call site, and reads published frames")]
pub mod call_site;
#[cfg(asm_hot_path)]
#[allow(unsafe_code, reason = "calls the C library's allocator")]
mod deferred_free;
pub mod epoch;
pub mod events;
#[allow(unsafe_code, reason = "reads and writes in front of blocks")]
mod header;
#[cfg(holders)]
#[allow(unsafe_code, reason = "writes behind the tags of blocks")]
pub mod live;
#[allow(unsafe_code, reason = "gives stats_alloc an allocator that hands out nothing")]
pub mod tally;
pub mod thread;
pub mod volume;

pub use accounts::account::RegionId;
pub use call_site::SiteId;
pub use volume::Volume;
