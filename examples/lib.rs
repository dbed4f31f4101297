//! The lessons, one file each, next to this file. Run a lesson with
//! `cargo test -p leakcheck-examples --test first_leak`.
//!
//! | lesson | shows | ends |
//! |---|---|---|
//! | `first_leak` | a leak and the line that allocated it | red |
//! | `parallel_tests` | of tests that run in parallel, only the one that leaks fails | red |
//! | `leaky_cache` | an unbounded and a bounded cache | red |
//! | `rc_cycle` | a cycle of `Rc`s, and the fix with `Weak` | red |
//! | `async_service` | tokio, single-threaded and multi-threaded | red |
//! | `worker_threads` | a thread that is left running, and a shared pool | red |
//! | `leak_or_warm_up` | repetition: a leak in every iteration, and a one-time initialization | red |
//! | `intentional_leak` | memory that is meant to stay | green |
//! | `thresholds_by_kind` | limits for a test, a kind and a run | green |
//! | `rstest_cases` | cases and fixtures of rstest | red |
//! | `own-allocator/` | a project with its own allocator | green |
//!
//! Some lessons end red on purpose. A plain `cargo test` does not run these, but `red.rs`, which runs each of them and
//! asserts that it fails with the expected report.
