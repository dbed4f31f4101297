//! The figures of each region: an account, with a record for each of its call sites.
//!
//! A region's figures are distributed over shards, one for each thread in the region, so
//! that no two threads write to the same cache line. An [account] adds them up. A block's [tag]
//! points to the record in which the block is counted.

#[allow(unsafe_code, reason = "declares a type valid when zeroed")]
pub mod account;
mod estimate;
#[allow(unsafe_code, reason = "declares a type valid when zeroed")]
pub(crate) mod record;
#[allow(unsafe_code, reason = "declares a type valid when zeroed")]
pub(crate) mod release;
pub(crate) mod sample;
#[allow(unsafe_code, reason = "declares a type valid when zeroed and used by one thread at a time")]
pub(crate) mod shard;
#[allow(unsafe_code, reason = "manages a table in memory from the system's allocator")]
mod sites;
pub mod split;
#[allow(unsafe_code, reason = "dereferences the address of a record")]
pub mod tag;
