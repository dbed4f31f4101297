//! The counting allocator, and its figures by owner and call site.
//!
//! Internal to leakcheck, no stability promise.
//!
//! [`alloc`] puts a header in front of every block and passes each allocation, reallocation and
//! free to [`events`]. An event is charged to the region that its [`thread`] is in: to a record of
//! that region's [account](accounts) for the [call site](call_site) of the allocation. The
//! [`shadow`] map has the addresses of all [`live`] blocks. Nothing on the allocator's path
//! allocates, locks, panics or blocks.
#![allow(rustdoc::private_intra_doc_links, reason = "read by those who work on leakcheck")]
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

pub mod accounts;
#[allow(unsafe_code, reason = "implements a global allocator")]
pub mod alloc;
#[allow(unsafe_code, reason = "declares a type valid when zeroed, and reads published frames")]
pub mod call_site;
#[cfg(asm_hot_path)]
#[allow(unsafe_code, reason = "calls the C library's allocator")]
mod deferred_free;
pub mod epoch;
pub mod events;
#[allow(unsafe_code, reason = "reads and writes in front of blocks")]
mod header;
#[cfg(holders)]
#[allow(unsafe_code, reason = "reads and writes the headers of blocks")]
pub mod live;
pub mod packed_size;
#[cfg(holders)]
#[allow(unsafe_code, reason = "maps memory and accesses it by address")]
pub mod shadow;
#[allow(unsafe_code, reason = "implements an allocator that returns no memory, for stats_alloc")]
pub mod tally;
pub mod thread;
pub mod totals;

pub use accounts::account::RegionId;
pub use call_site::SiteId;
pub use totals::Totals;
