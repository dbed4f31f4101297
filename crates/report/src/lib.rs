//! Internal to leakcheck, no stability promise.
//!
//! The model of a report and of a run: what a check has measured, what it was compared with, what the
//! verdict is, and how all of that reads in JSON and in text. Test processes and the command share it,
//! so that nothing is decided by reading text. It knows nothing of allocators and symbols.
#![allow(rustdoc::private_intra_doc_links, reason = "read by those who work on leakcheck")]
#![forbid(unsafe_code)]

pub mod format;

mod amount;
mod frame;
mod kind;
mod scope;

mod figure;
mod limit;
mod resource;
mod verdict;

pub mod advice;
mod call_site;
mod holder;
mod repetition;
mod timeline;

mod report;

pub mod journal;
#[cfg(feature = "command")]
pub mod run;

pub mod file;
pub mod json;
pub mod order;
pub mod pattern;
pub mod reference_path;
pub mod text;

pub use amount::{Allowed, Amount, Growth};
pub use call_site::CallSite;
pub use figure::Figure;
pub use frame::{Class, Frame};
pub use holder::{FoundBy, Holder, Reachability, Root, Step};
pub use kind::Kind;
pub use limit::{Limit, LimitSource, Limits};
pub use repetition::{
    Growing, GrowingResource, GrowthClass, Repetition, Sensitivity, Severity, Stopped,
};
pub use report::{Events, Figures, Omitted, Report, SCHEMA, Suppressed, Symbols, Test};
pub use resource::{Child, ChildState, Fd, Resource, Thread, UNNAMED};
pub use scope::{Metric, Scope, Stacks};
pub use timeline::Timeline;
pub use verdict::{BodyEnd, Excess, NotJudged, Skip, Unjudged, UnjudgedLimit, Verdict};
