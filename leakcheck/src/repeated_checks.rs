//! Leak, or only warm? How bodies are repeated, and what the verdict says then.
//!
//! One run cannot tell a small leak from a static that is made lazily or a cache that warms up. So a
//! body can be called again and again, and what keeps pace with the calls is a leak, however small:
//!
//! ```no_run
//! # fn main() {}
//! #[leakcheck::leak_check(iterations = "auto")]
//! #[test]
//! fn closes_its_sessions() {
//!     // …
//! }
//! ```
//!
//! `iterations = 100` makes just so many calls. `LEAK_ITERATIONS=auto cargo test` repeats every
//! annotated test whose body can be called again: one that takes no arguments, or only shared
//! references and plain numbers. `iterations = 1` says of a test that it cannot, as one that counts in
//! a static.
//!
//! # What is called
//!
//! After a warm-up of two calls (`warmup = 5` for more) the body runs in batches of 1, 2, 4, 8 and
//! so on. During each batch, and at its end, live bytes and blocks are read for every call site.
//! `auto` stops as soon as nothing grows any more, so that a clean body is called nine times in
//! all; once something has grown after the first call, it wants at least 24 calls, and as many
//! as there were before, without growth. As long as something still grows it goes on, up to 16,383
//! calls or 3 seconds (`LEAK_ITERATIONS_MAX`, `LEAK_ITERATIONS_SECONDS`), or until another batch would
//! leave 256 MB, 32 threads or 128 file descriptors behind.
//!
//! All calls are made on the thread of the test, one after the other. The value that a call
//! returns is dropped before the next.
//!
//! # What is a leak
//!
//! Counts are exact, so this is a rule and no statistics. For each call site:
//!
//! - *leak*: it keeps pace with the calls. The lowest reading of each of the last four batches is
//!   above that of the batch before, growth a call is at least 0.65 of what it was before, each of the
//!   last three batches has grown, and what goes up and down within the last one is less than half of its growth. A vector that doubles
//!   or a table that is rehashed grows in steps, and keeps pace all the same.
//! - *warm-up*: it grew in one batch only.
//! - *filling cache*: it grows by less and less a call.
//! - *plateau*: it goes up and down.
//! - *undecided*: it has kept pace, but over fewer than 31 calls, where a small cache does so too.
//!
//! What still grows gets 31 calls even where they take up to four times the cap in time. A body so slow that
//! it does not come that far is judged by the limits of a single run, and stderr says that growth did
//! not decide. With a number of calls (`iterations = 10`), or when enough was left behind, fewer are enough.
//!
//! Threads that the body started and that still run, file descriptors that it left open, child processes
//! that nobody has waited for and, in process scope, bytes of the C heap are counted in the same way.
//!
//! A leak fails the test, whatever its size. Limits of bytes and blocks hold in a repeated check
//! only where they were given beside `iterations` or by `LEAK_THRESHOLD_MB`, and are held against net growth
//! since the warm-up; limits of the peak and of threads hold as always. With `warmup` alone, the body
//! is called once after it, and all limits hold for that call.
//!
//! With `LEAK_STACKS=sampled` or `off` the total is judged, and not the call sites.
//!
//! # What it would have seen
//!
//! The report states its own sensitivity: the smallest leak a call that would have been seen, and in
//! how many calls it would have had to come once. What goes up and down hides what is smaller over
//! a batch. Three things look like something else from outside:
//!
//! - a cache whose bound lies beyond the last call looks like a leak, until the cap is raised;
//! - a leak that comes more rarely than every seventh call may not come while a body looks clean;
//! - what is pushed into spare room of a collection that was there before shows when the room is
//!   used up.
//!
//! # How bad it is
//!
//! Each leak has a [severity](crate::report::Severity), by its bytes a call and its share of all growth, and, where
//! the functions on the way to the allocation tell, advice.
