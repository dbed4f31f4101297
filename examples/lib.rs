//! The lessons, each a file of its own beside this one. Run one with
//! `cargo test -p leakcheck-examples --test first_leak`.
//!
//! | lesson | what it shows | ends |
//! |---|---|---|
//! | `first_leak` | a leak, and the line that allocated it | red |
//! | `parallel_tests` | only the test that leaks fails | red |
//! | `leaky_cache` | a cache without a bound, and with one | red |
//! | `rc_cycle` | a cycle of `Rc`, and its fix by `Weak` | red |
//! | `async_service` | tokio, on one thread and on several | red |
//! | `worker_threads` | a thread left running, and a shared pool | red |
//! | `leak_or_warm_up` | a body that is repeated: what keeps coming, and what comes once | red |
//! | `intentional_leak` | memory that is meant to stay | green |
//! | `thresholds_by_kind` | where a limit comes from | green |
//! | `rstest_cases` | cases and fixtures | red |
//! | `own-allocator/` | a project with an allocator of its own | green |
//!
//! Those that end red do so on purpose. A plain `cargo test` leaves them out and runs `red.rs`, which runs each of them
//! and asserts that it fails, and in which words.
