//! Internal to leakcheck, no stability promise.
//!
//! Rules on series of figures. A body that runs again and again shows whether what it retains keeps
//! growing.
//!
//! One run cannot distinguish a small leak from a cache that warms up. An allocator that counts has no
//! noise, so repetition can: after a warm-up the body runs in batches that double, and growth
//! proportional to the calls is a leak. Nothing here knows of allocators: readings go in, and what to
//! do next and what became of each quantity come out.
#![allow(rustdoc::private_intra_doc_links, reason = "read by those who work on leakcheck")]
#![forbid(unsafe_code)]

mod track;

mod series;

mod class;

mod plan;
mod repeat;

mod finding;
mod sensitivity;
#[cfg(test)]
mod simulation;

pub use class::Trend;
pub use finding::{Finding, SiteGrowth};
pub use plan::{Caps, Iterations, Plan, WARM_UP};
pub use repeat::{Repeat, Step};
pub use series::{Quantity, Reading, Series, SiteId};
pub use track::Track;
