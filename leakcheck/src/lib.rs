//! The leak check that Rust developers leave on: a `cargo test` that leaves memory behind fails,
//! names the line that allocated it and says why it counts.
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
//! That is all: the default feature `install` declares the counting allocator, and the attribute
//! works with `#[test]`, `#[tokio::test]`, `rstest`, `test_case` and others, above or below them,
//! on functions and on whole modules.
//!
//! # What it says
//!
//! ```text
//! leakcheck: `cache::tests::evicts` leaked 8.42 MB (8,829,042 bytes), limit 1.00 MB (default for unit tests)
//!
//!   retained 8.42 MB in 3,072 blocks · released 0 B · peak 12.10 MB · allocated 41,220 blocks in all
//!
//!   1.  5.10 MB  60.6 %  2,048 blocks  app::cache::Cache::insert   src/cache.rs:123
//!                                      app::cache::Cache::load     src/cache.rs:88
//!                                      app::cache::tests::evicts   src/cache.rs:311
//! ```
//!
//! # Words
//!
//! A *region* is the stretch of a program that is watched: one run of a test's body, with every
//! thread it starts. Every block belongs to the region it was allocated in, for life, so that a
//! free on any thread, in any test, at any time is charged to the right one. *Retained* is what the
//! region owns and is still live at its end; *released* is what its threads freed without owning
//! it; *net growth* is the difference, and what a threshold is held against. *Unattributed*
//! is growth in the same stretch that no open region owns. A MB is 1,048,576 bytes, everywhere.
//!
//! # Limits
//!
//! | kind | default limit | by default for |
//! |---|---|---|
//! | `unit` | 1 MB | tests beside the code |
//! | `integration` | 5 MB | tests in the `tests` directory |
//! | `long_running` | 10 MB | tests that say `kind = "long_running"` |
//!
//! The limit of a check is what `LEAK_THRESHOLD_MB` says; else its own `threshold_mb` or
//! `threshold_bytes`; else the kind's variable; else the kind's default. All arguments:
//! [`leak_check`]. A figure that equals its limit passes.
//!
//! # Settings
//!
//! Variables of the environment, so that cargo's own `[env]` table in `.cargo/config.toml` keeps
//! them for a project.
//!
//! | variable | value | |
//! |---|---|---|
//! | `LEAK_CHECK` | `on`, `warn`, `record`, `off` | fail (the default), tell on stderr, just write the report, or just run the tests |
//! | `LEAK_THRESHOLD_MB` | megabytes | overrides every byte limit, the attribute's too |
//! | `LEAK_THRESHOLD_MB_UNIT`, `_INTEGRATION`, `_LONG_RUNNING` | megabytes | the default limit of a kind |
//! | `LEAK_ITERATIONS` | `auto` or a number | [repeats](repeated_checks) every body that can be called again |
//! | `LEAK_ITERATIONS_MAX` | a number | the most calls of `auto` (16,383) |
//! | `LEAK_ITERATIONS_SECONDS` | seconds | the most time that `auto` takes for a test (3) |
//! | `LEAK_SKIP` | globs, separated by commas | tests that are not checked |
//! | `LEAK_SUPPRESSIONS` | a file | known leaks in LeakSanitizer's format, `leak:pattern` a line |
//! | `LEAK_TOP` | a number | call sites that a report lists (10) |
//! | `LEAK_STACKS` | `full`, `sampled`, `off` | whose [call stacks](#call-stacks) are captured |
//! | `LEAK_HOLDERS` | `auto`, `on`, `off` | how reports find out who [holds](#who-holds-it) leaked memory: by a second run of the failing test (the default), at once, or not at all |
//! | `LEAK_LOST_BYTES` | bytes | the most that nothing may hold any more; overrides `lost_bytes` |
//! | `LEAK_TIMELINE` | `on`, `off` | whether JSON reports have [live bytes over time](report::Timeline) |
//! | `LEAK_REPORT_DIR` | a directory | where JSON reports go, instead of `target/leakcheck` |
//! | `LEAK_RECORD` | `on`, `off` | whether tests that pass write their figures there too |
//!
//! A value that cannot be read fails the check; a variable that begins with `LEAK_` and is not
//! known earns a warning.
//!
//! # Call stacks
//!
//! | `LEAK_STACKS` | call stacks are captured | call sites | known noise is left out |
//! |---|---|---|---|
//! | `full` (default) | of all blocks | exact | yes |
//! | `sampled` | of blocks of 64 kB and more, and of a sample of the others | estimated for the others | where its blocks have 64 kB and more, and where it was released |
//! | `off` | of none | none | no |
//!
//! Figures and limits are exact with each of them. The sample is one of bytes: each byte is picked
//! with the same chance, one in 16 kB on average, and a block is in the sample when one of its
//! bytes is picked, as in the heap profilers of tcmalloc and jemalloc. A sampled block stands for
//! as many as its size made probable (the estimator of Horvitz and Thompson, 1952), and all call
//! sites together for what is retained, to the byte. What retains 1 MB in small blocks is so known
//! to within some 12 %, one standard deviation, and 100 MB to within 1.2 %. The sizes at a call
//! site are taken to be alike; where they are not, it has more blocks than are told. A test that
//! allocates the same on one thread has the same sample in every run.
//!
//! # Who holds it
//!
//! A report says of each call site what keeps its blocks alive. At the verdict a snapshot is taken
//! of the process: a child that has its memory as it was at that moment and looks through it, word
//! by word, for what points to a block, from statics, thread-locals and stacks on. The program
//! itself goes on meanwhile.
//!
//! All live blocks have to be known for that, from the start of the process. With
//! `LEAK_HOLDERS=auto`, the default, they are not; a test that fails is run once more in a process
//! of its own in which they are, for twenty seconds or ten times as long as it took. Where it does
//! not leak again the report says so, and that only libtest's tests can be run again. With
//! `LEAK_HOLDERS=on` the list is kept in every process, which makes allocations some times as dear,
//! and with `off` nobody looks.
//!
//! | said | what it means |
//! |---|---|
//! | `held by` | a static, a thread-local or the stack of a running thread leads to it |
//! | `lost` | nothing does: it was forgotten, or is kept by a cycle of reference counts, or hangs on such a block |
//! | `possibly` | there is but a pointer into its middle, or a value that may be left over |
//!
//! It works on Linux with glibc, without further rights.
//!
//! # What it leaves out
//!
//! Memory that is meant to stay is excused by [`allow`], which takes a reason, and whole tests by
//! `skip = "reason"`. What the standard library and libtest keep is suppressed by default: captured
//! output, buffers of standard streams, debug information kept for backtraces. The report says what
//! was left out and how much.
//!
//! # What else is left behind
//!
//! | what | limit | known |
//! |---|---|---|
//! | threads that still run | `threads = 0` | on Linux with glibc and the feature `threads` |
//! | file descriptors that are still open | `fds = 0` | on Linux |
//! | child processes that nobody has waited for | `children = 0` | on Linux |
//! | growth of the C heap | `c_heap_mb = 1` | with glibc 2.33 or later, in process scope |
//!
//! They are reported with the place where they come from, and limited where the test says so.
//!
//! With glibc on x86_64 and aarch64 and the feature `threads` it is known who opened a descriptor and who
//! started a child, so that tests in parallel are told apart. What system calls of the program's own have opened (as the crate `rustix` makes them), what
//! came through a socket, and what the C library opened within itself is found too, without its place, and so are
//! children of `vfork` and of system calls. Whose that is is certain only where nothing else was at work: under nextest, with `--test-threads=1`, or where a test runs alone.
//! Otherwise the figure is *not judged*: the check says so on stderr and in its report, passes, and never guesses.
//! Closing what was open before does not make up for what is left open, and a number that was taken already (`dup2`) is not
//! left open.
//!
//! The C heap is the whole process's: the figure is what glibc's `malloc` has in use, without what Rust's blocks take
//! of it at the most, and without what leakcheck keeps. So at least as much was left there by C code, to within what
//! `malloc` keeps at hand for each thread (up to some 200 kB). It has no call sites.
//!
//! # Leak, or only warm?
//!
//! One run cannot tell a small leak from a lazy static or a cache that warms up. Repetition can:
//! `#[leak_check(iterations = "auto")]`, or `LEAK_ITERATIONS=auto cargo test` for all tests at once.
//! [How bodies are repeated](repeated_checks).
//!
//! # Without the attribute
//!
//! [`check`], [`check_repeated`] and [`check_async`] take any body, [`measure`] tells figures without judging them, and
//! a [`Context`] carries a region into the threads of a pool.
//!
//! # What it cannot see
//!
//! - Memory maps, and where C libraries allocate: it sees what goes through Rust's global allocator,
//!   and of the [C heap](#what-else-is-left-behind) how much it has grown.
//! - In test scope, what threads allocate that no test started, such as a global pool's: that is
//!   *unattributed*. Hand them a [`Context`], or use `scope = "process"`, which watches all threads
//!   and runs alone; under nextest, where every test has a process of its own, that is the default.
//! - On systems other than Linux with glibc, whether threads still run; there a thread inherits its
//!   region by the first block it frees, which is right for threads of the standard library.
//! - Where threads are not followed, in process scope, what libtest does meanwhile to start another
//!   test: some hundred bytes. Run such checks with `--test-threads=1` there.
//! - Known noise in stripped programs, and some of it in optimised ones without debug information:
//!   it is told by the names of functions. Limits of a few bytes want `debug = "line-tables-only"`.
//! - One run cannot tell a small leak from a cache that warms up: limits are for what is large
//!   enough to matter, and [repeated checks](repeated_checks) tell the two apart.
//! - Under Miri and the sanitizers nothing is judged, and stderr says so.
//!
//! # Features
//!
//! - `install` (default): declares [`Alloc`] as the program's global allocator. A project with an
//!   allocator of its own turns it off and wraps that one, see [`Alloc`]; as cargo unifies
//!   features, all members of a workspace must then turn it off.
//! - `threads` (default): on Linux with glibc, follows threads through a `pthread_create` of its
//!   own, file descriptors through an `open`, a `close` and so on, and child processes through
//!   `fork` and `posix_spawn`.

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
#[allow(unsafe_code, reason = "defines functions in front of the C library's")]
mod hooks;
mod measurement;
mod message;
mod names;
mod noise;
mod options;
mod origin;
mod outcome;
mod region;
#[cfg(doc)]
#[path = "repeated_checks.rs"]
pub mod repeated_checks;
mod repetition;
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
    BodyEnd, Excess, Figure, Limit, LimitSource, Limits, NotJudged, Skip, Unjudged, Verdict,
};

#[cfg(feature = "install")]
install!();

/// Declares the counting allocator, over the system's, as the global one of a program.
///
/// The default feature `install` does it for you.
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
/// A test is watched from the beginning to the end of the thread that libtest starts for it, with all
/// threads that it starts, and held against the default limits of its kind and the `LEAK_*`
/// variables. A leak is told on stderr with its report, and the program ends with the code of
/// failure, though libtest says `ok`. Where a function has an attribute, that one's words hold, `skip`
/// included.
///
/// A test that fails is not judged. One that panicked and passed, as with `#[should_panic]`, is judged
/// when the program ends, if no other test has failed.
///
/// It works under nextest and with `--test-threads=1`, on Linux with glibc and the feature `threads`;
/// elsewhere it does not compile. It knows libtest's tests; another harness calls [`check`].
#[cfg(interposed)]
#[macro_export]
macro_rules! check_all {
    () => {
        const _: () = {
            extern "C" fn begins() {
                $crate::__private::check_all(|name| {
                    $crate::__private::Origin::of_test(::core::module_path!(), name).in_target(
                        ::core::option_env!("CARGO_PKG_NAME"),
                        ::core::option_env!("CARGO_BIN_NAME"),
                        ::core::option_env!("CARGO_TARGET_TMPDIR").is_some(),
                    )
                });
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

/// Checks every test of a program where threads can be followed, which this build cannot.
#[cfg(all(not(interposed), any(miri, sanitized)))]
#[macro_export]
macro_rules! check_all {
    () => {};
}

/// Checks every test of a program where threads can be followed, which this build cannot.
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
