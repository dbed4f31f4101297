//! Repetition: how a check repeats its body, and how it tells a leak from a warm-up.
//!
//! One run cannot distinguish a small leak from a lazy static or a cache that is filling up. A
//! repeated check calls its body again and again. Growth that is proportional to the number of calls is
//! a leak, however small:
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
//! `iterations = 100` makes exactly 100 calls after the warm-up. `LEAK_ITERATIONS=auto cargo test`
//! repeats every annotated test whose body can be called again: a body that takes no arguments, or
//! only shared references and plain numbers. `iterations = 1` marks a test that cannot be called again,
//! for example because it counts in a static. [`check_repeated`](crate::check_repeated) repeats a
//! closure.
//!
//! # What is called
//!
//! After a warm-up of two calls (`warmup = 5` makes five), the body runs in batches of 1, 2, 4, 8
//! calls and so on. During each batch and at its end, the check reads the live bytes and blocks of every
//! call site.
//!
//! `auto` stops when nothing grows any more. A body that leaves nothing behind is called nine times in
//! total. If something grew after the first call, `auto` requires 24 calls without growth, and at least as
//! many as there were before. As long as something grows, it continues until it reaches 16,383 calls
//! (`LEAK_ITERATIONS_MAX`) or 3 seconds (`LEAK_ITERATIONS_SECONDS`), or until the next batch would leave
//! more than 256 MiB, 32 threads, 32 child processes or 128 file descriptors behind. Growth gets at least
//! 31 calls, even if they take up to four times the cap in time.
//!
//! All calls happen on the thread of the test, one after the other. The value that a call returns is
//! dropped before the next call.
//!
//! # What is a leak
//!
//! Counts are exact, so the verdict is a rule and not a statistical test. Each call site belongs to one
//! [class](crate::report::GrowthClass):
//!
//! - *leak*: it grows in proportion to the calls.
//! - *warm-up*: it grew in one batch only.
//! - *filling cache*: its growth per call decreases.
//! - *plateau*: it goes up and down.
//! - *undecided*: it grew in proportion to the calls, but over fewer than 31 calls, as a small cache
//!   does too.
//!
//! A call site leaks when all of this holds:
//!
//! - the lowest reading of each of the last three batches is above the lowest reading of the batch
//!   before it;
//! - each of the last three batches grew, and none by less than a quarter of the highest growth per call
//!   among them;
//! - growth per call is at least 0.65 of what it was before;
//! - the last batch grew by at least 0.4 of that rate, and by at least twice as much as it fell in
//!   between.
//!
//! A vector that doubles its capacity and a table that is rehashed grow in steps and still satisfy the
//! rule. Fewer calls are enough with a number of calls (`iterations = 10`), and when the repetition ended
//! because it left too much behind.
//!
//! Running threads, open file descriptors, child processes that nobody has waited for and, in process
//! scope, bytes of the C heap are judged by the same rule. With `LEAK_STACKS=sampled` or `off`, the total
//! is judged instead of the call sites.
//!
//! # Limits
//!
//! A leak fails the test, whatever its size. Limits on bytes and blocks apply only if they are set
//! beside `iterations`, or by `LEAK_THRESHOLD_MB`, and apply to net growth since the warm-up. Limits on
//! other figures, such as the peak and threads, apply as usual. If growth is undecided because the body
//! is slow, the limits of a single run apply, and stderr says so. With `warmup` alone, the body is called
//! once after the warm-up, and all limits apply to that call.
//!
//! # What the report would have seen
//!
//! The report states its [sensitivity](crate::report::Sensitivity): the smallest leak per call that would
//! have been seen, and the longest interval, in calls, at which a leak would still have been seen. Memory
//! that goes up and down hides smaller leaks. Three cases are misleading:
//!
//! - A cache that is not full at the last call looks like a leak. Raise the cap.
//! - A leak that happens less often than every seventh call may not happen at all while a body looks
//!   clean.
//! - Growth into the spare capacity of an older collection is visible only when that capacity is used up.
//!
//! # Severity
//!
//! A leak has a [severity](crate::report::Severity), by its bytes per call and its share of all growth. It
//! also has a hint if the functions on its call stack suggest one.
