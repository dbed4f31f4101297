//! Runs the fixtures in separate processes and checks their output and reports. Each module tests one
//! claim.
//!
//! All modules are one program, so that they are linked once. Their tests run in parallel, so a test
//! reads only the reports of its own runs and changes neither the environment nor the working directory.

mod blind;
mod builds;
mod c_heap;
mod check_all;
mod children;
mod contexts;
mod custom_allocator;
mod exclusions;
mod fds;
mod generated_graphs;
mod holders;
mod limits;
mod macros;
mod outliving;
mod parallel;
mod pass_through;
mod process_scope;
mod project;
mod repeated;
mod reports;
mod runners;
mod sampled;
mod settings;
mod settling;
mod should_panic;
mod size;
mod stacks;
mod structure;
mod threads;
mod tidy;
mod timeline;
mod unreadable;
mod unusual_allocations;
