//! The data model of a report, as the JSON of `docs/report-schema.md` has it.

pub use leakcheck_report::{
    CallSite, Child, ChildState, Class, Events, Fd, Figures, FoundBy, Frame, Growing,
    GrowingResource, GrowthClass, Holder, Omitted, Reachability, Repetition, Report, Resource,
    Root, SCHEMA, Sensitivity, Severity, Stacks, Step, Stopped, Suppressed, Symbols, Test, Thread,
    Timeline,
};

pub(crate) use leakcheck_report::{advice, text};
