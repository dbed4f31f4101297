//! Who owns what: an account for each region, with a record for each of its call sites.
//!
//! A region's figures are spread over [shards](shard), one for each thread that works for it, so that
//! no two threads write to the same cache line. An [account] adds them up. A block's [tag] names the
//! [record] that it is counted in.

#[allow(unsafe_code, reason = "says that zeroed memory is an account")]
pub mod account;
mod estimate;
#[allow(unsafe_code, reason = "says that zeroed memory is a chunk of records")]
pub mod record;
#[allow(unsafe_code, reason = "says that zeroed memory is a release")]
pub mod release;
pub mod sample;
#[allow(unsafe_code, reason = "says that zeroed memory is a shard, and that one thread has it")]
pub mod shard;
#[allow(unsafe_code, reason = "a table in memory of the system's allocator")]
mod sites;
pub mod split;
#[allow(unsafe_code, reason = "a record's address, or a constant")]
pub mod tag;
