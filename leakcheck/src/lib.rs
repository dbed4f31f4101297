//! A memory leak checker for tests. A test that leaves memory behind fails, and its report names the
//! line that allocated the memory and shows what keeps it alive.
//!
//! A test can pass and still leak: a session that nobody removes, a cache without a bound, a cycle of
//! [`Rc`](std::rc::Rc)s. Tests run in parallel and share one process, so counting the memory of the
//! process does not show which test leaked. This crate counts by test.
//!
//! # Set-up
//!
//! ```toml
//! [dev-dependencies]
//! leakcheck = "0.1"
//! ```
//!
//! ```no_run
//! # fn main() {}
//! #[leakcheck::leak_check(threshold_mb = 5)]
//! #[test]
//! fn serves_a_thousand_requests() {
//!     // …
//! }
//! ```
//!
//! The default feature `install` declares the counting allocator, so no further set-up is needed.
//! [`leak_check`] works on functions and on modules, above or below `#[test]`, `#[tokio::test]`,
//! `rstest`, `test_case` and others. [`check_all!`](check_all) checks every test of a program without
//! an attribute. [`check`], [`check_repeated`] and [`check_async`] check a closure or a future, and
//! [`measure`] returns figures without judging them.
//!
//! # What a run prints
//!
//! ```text
//! leakcheck: `cache::tests::evicts` leaked 8.42 MiB (8,829,042 bytes), limit 1.00 MiB (default for unit tests)
//!
//!   retained 8.42 MiB in 3,072 blocks · released 0 B · peak 12.1 MiB · allocated 41,220 blocks in total
//!
//!   1.  5.10 MiB  60.6 %  2,048 blocks  app::cache::Cache::insert   src/cache.rs:123
//!                                       app::cache::Cache::load     src/cache.rs:88
//!                                       app::cache::tests::evicts   src/cache.rs:311
//!       kept alive by  static app::cache::CACHE → RawTable<(String, Vec<u8>)> (src/cache.rs:88) → here
//! ```
//!
//! The full report is written as JSON to `target/leakcheck`.
//!
//! # Terms
//!
//! A *region* is the watched stretch of a program: one run of a test's body, with every thread that
//! it starts. Every block belongs to the region it was allocated in until it is freed, no matter which
//! thread frees it or when.
//!
//! *Retained* memory is owned by the region and still live at its end. *Released* memory was freed by
//! the region's threads and is owned by another region, or by none. *Net growth* is retained minus
//! released memory; thresholds apply to it. *Unattributed* memory is growth of the process in the same
//! stretch that no open region owns.
//!
//! Sizes are in units of 1,024: 1 MiB is 1,048,576 bytes. `mb` in the name of an argument or a variable
//! means MiB.
//!
//! # Limits
//!
//! | kind | default limit | default for |
//! |---|---|---|
//! | `unit` | 1 MiB | tests beside the code |
//! | `integration` | 5 MiB | tests in the `tests` directory |
//! | `long_running` | 10 MiB | tests with `kind = "long_running"` |
//!
//! The limit of a check is the first of these that is set: `LEAK_THRESHOLD_MB`, its own `threshold_mb`
//! or `threshold_bytes`, the variable of its kind, the default of its kind. A figure that equals its
//! limit passes. [`leak_check`] lists the arguments that limit other figures.
//!
//! # Variables
//!
//! Set these in the environment, or keep them in the `[env]` table of `.cargo/config.toml`.
//!
//! | variable | value | effect |
//! |---|---|---|
//! | `LEAK_CHECK` | `on`, `warn`, `record`, `off` | a leak fails its test (the default), is printed to stderr, or is only written to the JSON report; or tests run without a check |
//! | `LEAK_THRESHOLD_MB` | MiB | overrides the byte limit of every test |
//! | `LEAK_THRESHOLD_MB_UNIT`, `_INTEGRATION`, `_LONG_RUNNING` | MiB | changes the default limit of a kind |
//! | `LEAK_LOST_BYTES` | bytes | maximum number of [lost](#what-keeps-memory-alive) bytes; overrides `lost_bytes` |
//! | `LEAK_ITERATIONS` | `auto` or a number | [repeats](repeated_checks) every body that can be called again |
//! | `LEAK_ITERATIONS_MAX` | a number | maximum number of calls that `auto` makes (16,383) |
//! | `LEAK_ITERATIONS_SECONDS` | seconds | maximum time that `auto` spends on a test (3) |
//! | `LEAK_SKIP` | globs, separated by commas | tests that are not checked |
//! | `LEAK_SUPPRESSIONS` | path of a file | known leaks in LeakSanitizer's format, one `leak:pattern` per line |
//! | `LEAK_TOP` | a number | number of call sites in a report (10) |
//! | `LEAK_STACKS` | `full`, `sampled`, `off` | which blocks have a [call stack](#call-stacks) |
//! | `LEAK_HOLDERS` | `auto`, `on`, `rerun`, `off` | how reports find out [what keeps memory alive](#what-keeps-memory-alive): at the verdict (the default), the same in a thorough process, in a rerun of the test, or not at all |
//! | `LEAK_TIMELINE` | `on`, `off` | adds [live bytes over time](report::Timeline) to JSON reports; off by default |
//! | `LEAK_REPORT_DIR` | path of a directory | where JSON reports are written, instead of `target/leakcheck` |
//! | `LEAK_RECORD` | `on`, `off` | writes JSON reports for passing and skipped tests too; off by default |
//!
//! A value that cannot be read fails the check. An unknown variable that starts with `LEAK_` causes a
//! warning.
//!
//! # What it cannot see
//!
//! - Memory outside of Rust's global allocator: memory maps, and where C libraries allocate. Of the
//!   [C heap](#other-resources) only the growth is known.
//! - In test scope, what is allocated by threads that no test started, such as those of a global pool.
//!   It is reported as *unattributed*. Pass a [`Context`] to the pool, or use `scope = "process"`, which
//!   watches all threads and runs alone. Under nextest, where each test has its own process, that is the
//!   default.
//! - Whether threads are still running, on systems other than Linux with glibc. There a thread inherits
//!   its region from the first block that it frees, which is correct for threads of the standard library.
//! - In process scope, where threads are not followed, that libtest allocates some hundred bytes to
//!   start another test. Run such checks with `--test-threads=1`.
//! - Known noise in stripped programs, and some of it in optimized programs without debug information:
//!   it is recognized by function names. Set `debug = "line-tables-only"` if you use limits of a few bytes.
//! - In one run, whether a little growth is a leak or a cache that is filling up. [Repeated
//!   checks](repeated_checks) decide.
//! - Anything under Miri or a sanitizer. Nothing is judged there, and stderr says so.
//!
//! # How it works
//!
//! The allocator puts a 16-byte header in front of each block. The header leads to a record of the
//! block's region and call site. A free follows the header to that record, so ownership is looked up and
//! never guessed. Call stacks are captured as addresses, and get names only when a report is written.
//!
//! At the end of a region the check waits for threads that are ending, subtracts known noise and allowed
//! memory, and compares the rest with the limits. Every check first allocates a block and looks for it
//! in the ledger; without its allocator a check fails.
//!
//! ## Call stacks
//!
//! | `LEAK_STACKS` | call stacks | call sites | known noise is suppressed |
//! |---|---|---|---|
//! | `full` (default) | of all blocks | exact | yes |
//! | `sampled` | of blocks of 64 KiB and more, and of a sample of smaller blocks | estimated for smaller blocks | in blocks of 64 KiB and more, and in released memory |
//! | `off` | of no blocks | none | no |
//!
//! Total figures are exact in every mode. The sample is taken by bytes, one in 16 KiB on average, as in
//! the heap profilers of tcmalloc and jemalloc, and is extrapolated by the Horvitz–Thompson estimator. An
//! estimate of 1 MiB in small blocks has a standard deviation of 12 %, and an estimate of 100 MiB one of
//! 1.2 %. A test that makes the same allocations on one thread has the same sample in every run.
//!
//! ## What keeps memory alive
//!
//! | in the report | meaning |
//! |---|---|
//! | kept alive by | a reference path leads to the block from a static, a thread-local, or the stack of a running thread |
//! | lost | nothing reachable points to the block: it was forgotten, is part of a cycle of reference counts, or is reachable only from lost blocks |
//! | possibly | only an interior pointer, or a possibly stale value, leads to the block |
//!
//! At the verdict, a child process with a snapshot of the memory searches it for pointers, while the
//! test process continues. Stale pointers in unused memory can make a lost block seem to be kept alive.
//! `LEAK_HOLDERS=on` makes the process *thorough*: it clears such memory, which makes allocations several
//! times slower. `LEAK_HOLDERS=rerun` runs a failing test of libtest again, on its own, in a thorough
//! process, for up to 20 seconds or ten times as long as it took. If the leak does not happen again, the
//! report says so. `LEAK_HOLDERS=off` does not look.
//!
//! This works on Linux with glibc and requires no special permissions.
//!
//! ## Intended leaks and known noise
//!
//! [`allow`] excuses the memory that a closure allocates, and `skip = "reason"` excludes a test. Memory
//! that the standard library and libtest keep is suppressed by default: captured output, buffers of
//! standard streams, debug information loaded for backtraces. The report states what was excused or
//! suppressed, and how much.
//!
//! ## Other resources
//!
//! | resource | limit | requires |
//! |---|---|---|
//! | threads that are still running | `threads = 0` | Linux with glibc, and the feature `threads` |
//! | file descriptors that are still open | `fds = 0` | Linux |
//! | child processes that nobody has waited for | `children = 0` | Linux |
//! | growth of the C heap | `c_heap_mb = 1` | glibc 2.33 or newer, and process scope |
//!
//! Reports list them with the place that created them. They fail a test only if it sets a limit.
//!
//! With glibc on x86_64 and aarch64 and the feature `threads`, it is known which test opened a descriptor
//! or started a child, so the counts are correct when tests run in parallel. What raw system calls open
//! (as the crate `rustix` makes them), what arrives through a socket, and what the C library opens
//! internally has no known opener. The same holds for children of `vfork` and of raw system calls. They count
//! only where nothing else ran at the same time: under nextest, with `--test-threads=1`, or when a test
//! runs alone. Otherwise the figure is not known, and a check with a limit for it fails and says why.
//! Closing a descriptor that was open before does not compensate for one that is left open, and a
//! descriptor placed on a number that was already in use (`dup2`) is not left open.
//!
//! The C heap belongs to the whole process. The figure is what glibc's `malloc` reports as in use, minus
//! an upper bound of what Rust's blocks occupy, minus what leakcheck keeps and what `malloc` caches for
//! the test's own thread. So C code left at least this much behind, except for the up to 236 KiB that
//! `malloc` caches for each other thread. It has no call sites.
//!
//! # Features
//!
//! - `install` (default) declares [`Alloc`] as the global allocator of the program. A project with its
//!   own allocator turns the feature off and wraps its allocator, see [`Alloc`]. Cargo unifies features,
//!   so all members of a workspace must then turn it off.
//! - `threads` (default) interposes functions of the C library on Linux with glibc: `pthread_create` to
//!   follow threads, `open`, `close` and others to follow file descriptors, `fork` and `posix_spawn` to
//!   follow child processes.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod allow;
mod check;
mod context;
mod draft;
mod error;
mod explain;
mod gate;
#[cfg(interposed)]
#[allow(unsafe_code, reason = "interposes functions of the C library")]
mod hooks;
#[cfg_attr(
    any(not(unix), miri),
    allow(dead_code, unused_imports, reason = "nothing runs when the process exits")
)]
mod journal;
mod judging;
mod measurement;
mod message;
mod names;
mod noise;
mod options;
mod origin;
mod outcome;
mod publish;
mod region;
#[cfg(doc)]
#[path = "repeated_checks.rs"]
pub mod repeated_checks;
mod repeater;
pub mod report;
mod report_dir;
#[cfg(holders)]
mod rerun;
#[cfg(not(holders))]
#[path = "rerun/elsewhere.rs"]
mod rerun;
mod resources;
mod settings;
mod settle;
#[cfg(interposed)]
mod suite;
mod suppress;
mod timeline;
mod verdict;
mod watch;

pub use allow::allow;
pub use check::{check, check_async, check_repeated, measure};
pub use context::{Context, ContextGuard};
pub use leakcheck_ledger::alloc::Alloc;
pub use leakcheck_macros::leak_check;
pub use measurement::{Allowed, Amount, Growth, Measurement};
pub use options::{Iterations, Kind, Metric, Options, Scope};
pub use outcome::Outcome;
pub use report::Events;
pub use verdict::{
    BodyEnd, Excess, Figure, Limit, LimitSource, Limits, NotJudged, Skip, Unjudged, UnjudgedLimit,
    Verdict,
};

#[cfg(feature = "install")]
install!();

/// Declares the counting allocator over the system's as the program's global allocator.
///
/// The default feature `install` does this for you.
///
/// ```
/// # #[cfg(not(feature = "install"))]
/// leakcheck::install!();
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! install {
    () => {
        #[global_allocator]
        static LEAKCHECK_ALLOC: $crate::__private::Installed = $crate::__private::INSTALLED;
    };
}

/// Checks every test that libtest runs in a program, without an attribute on each.
///
/// One line, anywhere in the program: at the end of `lib.rs` under `#[cfg(test)]` for the tests
/// beside the code, and in a file of the directory `tests` for those in it.
///
/// ```
/// # #[cfg(any())]
/// #[cfg(test)]
/// leakcheck::check_all!();
/// # fn main() {}
/// ```
///
/// A test is watched from the start to the end of the thread that libtest starts for it, with all
/// threads that it starts in turn. The default limits of its kind and the `LEAK_*` variables apply. The
/// report of a leak goes to stderr, and the program ends with libtest's exit status for failures, even
/// though libtest printed `ok`. Where a test has the attribute, the attribute's arguments apply, `skip`
/// included.
///
/// A test that fails is not judged. A test that panicked and passed, as with `#[should_panic]`, is
/// judged when the program ends, unless another test failed.
///
/// It works under nextest and with `--test-threads=1`, on Linux with glibc and the feature `threads`.
/// Elsewhere it does not compile. It knows libtest's tests only: with another harness, call [`check`].
/// A program with `harness = false` that checks no test fails and says so.
#[cfg(interposed)]
#[macro_export]
macro_rules! check_all {
    () => {
        const _: () = {
            extern "C" fn begins() {
                let origin = |name| {
                    $crate::__private::Origin::of_test(::core::module_path!(), name).in_target(
                        ::core::option_env!("CARGO_PKG_NAME"),
                        ::core::option_env!("CARGO_BIN_NAME"),
                        ::core::option_env!("CARGO_TARGET_TMPDIR").is_some(),
                    )
                };
                $crate::__private::check_all(origin, has_libtest());
            }

            /// With `harness = false`, the compiler removes functions with `#[test]`. Then the name
            /// is that of the function with another type.
            #[allow(unused_imports, unnameable_test_items)]
            fn has_libtest() -> bool {
                use $crate::__private::without_libtest::*;
                #[::core::prelude::v1::test]
                fn probe() {}
                $crate::__private::is_test(probe)
            }

            extern "C" fn ends() {
                $crate::__private::program_ends();
            }

            #[used]
            #[unsafe(link_section = ".init_array")]
            static BEGINS: extern "C" fn() = begins;
            #[used]
            #[unsafe(link_section = ".fini_array")]
            static ENDS: extern "C" fn() = ends;
        };
    };
}

/// Checks every test of a program where threads can be followed. In this build they cannot.
#[cfg(all(not(interposed), any(miri, sanitized)))]
#[macro_export]
macro_rules! check_all {
    () => {};
}

/// Checks every test of a program where threads can be followed. In this build they cannot.
#[cfg(all(not(interposed), not(any(miri, sanitized))))]
#[macro_export]
macro_rules! check_all {
    () => {
        ::core::compile_error!(
            "leakcheck::check_all! needs threads to be followed, which works on Linux (glibc, dynamically linked) with \
             the feature `threads` of leakcheck; elsewhere write #[leakcheck::leak_check] on the modules with tests"
        );
    };
}
