//! Builds the fixtures, runs their tests and reads their output and reports.
//!
//! A fixture is a package in `tests/fixtures` whose tests leak on purpose. It is built once. Tests run
//! its program as often as they need, each time in a new process.

mod cargo;
mod fixture;
mod folder;
pub mod imports;
mod output;
mod report;
mod run;
mod schema;

pub use cargo::{Cargo, Suite};
pub use fixture::Fixture;
pub use folder::Folder;
pub use output::{Finished, Outcome};
pub use report::{
    Allowed, Amount, CallSite, Events, Figures, Frame, Growing, GrowingResource, Growth, Holder,
    Repetition, Report, Sensitivity, Suppressed, Thread, Unjudged,
};
pub use run::Run;
pub use schema::{mistake_in, schema_file};
