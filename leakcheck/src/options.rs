//! The options of a check, as the attribute's arguments or the builder give them.

use std::borrow::Cow;

use crate::origin::Origin;

pub use leakcheck_growth::Iterations;
pub use leakcheck_report::{Kind, Metric, Scope};

/// The unit of limits whose names end in `_mb`.
pub(crate) const MB: f64 = 1_048_576.0;

/// The options of a check. What is not set comes from the environment and the defaults.
///
/// ```
/// use leakcheck::{Kind, Options};
///
/// let options = Options::new().name("parses a feed").kind(Kind::Integration).threshold_mb(0.5).threads(0);
/// leakcheck::check(options, || {
///     let feed = "title: leaks\n".repeat(100);
///     assert_eq!(feed.lines().count(), 100);
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until they are given to a check"]
pub struct Options {
    pub(crate) origin: Origin,
    pub(crate) threshold_bytes: Option<Threshold>,
    pub(crate) threshold_blocks: Option<u64>,
    pub(crate) peak_bytes: Option<u64>,
    pub(crate) kind: Option<Kind>,
    pub(crate) scope: Option<Scope>,
    pub(crate) skip: Option<Cow<'static, str>>,
    pub(crate) warmup: Option<u64>,
    pub(crate) iterations: Option<Iterations>,
    pub(crate) settle_ms: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) fds: Option<u64>,
    pub(crate) children: Option<u64>,
    pub(crate) c_heap_bytes: Option<u64>,
    pub(crate) lost_bytes: Option<u64>,
    pub(crate) metric: Metric,
    pub(crate) top: Option<u64>,
}

/// A byte limit and the argument that it was given by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    pub(crate) bytes: u64,
    pub(crate) argument: &'static str,
}

impl Options {
    /// Nothing set: the check is named after its thread, and everything else is a default.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn for_test(origin: Origin) -> Self {
        Self { origin, ..Self::default() }
    }

    /// The name of the check in reports and for `LEAK_SKIP`. By default the name of the thread, which
    /// under libtest is the name of the test, or the place of the call on a thread without a name.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.origin.name = Some(name.into());
        self
    }

    /// The limit of net growth in MiB. A figure that equals its limit passes.
    ///
    /// # Panics
    ///
    /// When `mb` is negative or not a finite number.
    #[track_caller]
    pub fn threshold_mb(mut self, mb: f64) -> Self {
        let bytes =
            mb_to_bytes(mb).unwrap_or_else(|| panic!("{}", not_mebibytes("threshold_mb", mb)));
        self.threshold_bytes = Some(Threshold { bytes, argument: "threshold_mb" });
        self
    }

    /// The limit of net growth in bytes.
    pub fn threshold_bytes(mut self, bytes: u64) -> Self {
        self.threshold_bytes = Some(Threshold { bytes, argument: "threshold_bytes" });
        self
    }

    /// The limit of net growth in blocks. Without it, blocks are not limited.
    pub fn threshold_blocks(mut self, blocks: u64) -> Self {
        self.threshold_blocks = Some(blocks);
        self
    }

    /// The limit of the peak in MiB: of the bytes that are live at once. Without it, the peak is not
    /// limited.
    ///
    /// # Panics
    ///
    /// When `mb` is negative or not a finite number.
    #[track_caller]
    pub fn peak_mb(mut self, mb: f64) -> Self {
        self.peak_bytes =
            Some(mb_to_bytes(mb).unwrap_or_else(|| panic!("{}", not_mebibytes("peak_mb", mb))));
        self
    }

    /// The type of the test, which decides the default limit.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Which threads are watched. By default those of the test; under nextest, which gives every test
    /// a process, those of the process.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Runs the body without a check, for the given reason.
    ///
    /// # Panics
    ///
    /// When the reason is empty.
    #[track_caller]
    pub fn skip(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        let why = why.into();
        assert!(
            !why.trim().is_empty(),
            "leakcheck: `skip` is `\"{why}\"`, expected a reason such as `\"needs the network\"`"
        );
        self.skip = Some(why);
        self
    }

    /// How often the body is repeated: a number of calls, or [`Iterations::Auto`]. Growth in
    /// proportion to the calls is then a leak, however small; growth that happens once is not.
    ///
    /// For [`check_repeated`](crate::check_repeated), which can call its body again.
    ///
    /// # Panics
    ///
    /// When the number is 0.
    #[track_caller]
    pub fn iterations(mut self, iterations: impl Into<Iterations>) -> Self {
        let iterations = iterations.into();
        assert!(
            iterations != Iterations::Exactly(0),
            "leakcheck: `iterations` is 0, expected at least 1 call"
        );
        self.iterations = Some(iterations);
        self
    }

    /// The number of warm-up calls before those that are judged: 2 by default where the body is
    /// repeated. With a warm-up alone the body is called once more after it, and the limits apply to
    /// that call.
    ///
    /// For [`check_repeated`](crate::check_repeated), which can call its body again.
    pub fn warmup(mut self, calls: u64) -> Self {
        self.warmup = Some(calls);
        self
    }

    /// How many milliseconds a check that would fail waits for threads that are ending and for
    /// deferred drops. 500 by default; 0 does not wait.
    pub fn settle_ms(mut self, milliseconds: u64) -> Self {
        self.settle_ms = Some(milliseconds);
        self
    }

    /// The limit of threads that the body started and that still run at the end. Without it, they are
    /// reported but not limited.
    ///
    /// Threads are followed on Linux with the feature `threads`. Elsewhere a check with this limit
    /// fails, because it could not see them.
    pub fn threads(mut self, threads: u64) -> Self {
        self.threads = Some(threads);
        self
    }

    /// The limit of file descriptors that the body opened and that are still open at the end. Without
    /// it, they are reported but not limited.
    ///
    /// See [other resources](crate#other-resources) for when descriptors cannot be
    /// judged. On systems other than Linux a check with this limit fails, because it could not see
    /// them.
    pub fn fds(mut self, fds: u64) -> Self {
        self.fds = Some(fds);
        self
    }

    /// The limit of child processes that the body started and that nobody has waited for at the end,
    /// whether they still run or not. Without it, they are reported but not limited.
    ///
    /// As with [`fds`](Self::fds).
    pub fn children(mut self, children: u64) -> Self {
        self.children = Some(children);
        self
    }

    /// The limit in MiB of the growth of the C library's heap besides Rust's blocks. Without it, the
    /// growth is reported but not limited.
    ///
    /// It is judged in a process of its own, as nextest gives to every test, or with
    /// [`Scope::Process`] where nothing else ran meanwhile. Where the C library does not provide the figure, a check
    /// with this limit fails: that takes glibc 2.33 or later.
    ///
    /// # Panics
    ///
    /// When `mb` is negative or not a finite number.
    #[track_caller]
    pub fn c_heap_mb(mut self, mb: f64) -> Self {
        self.c_heap_bytes =
            Some(mb_to_bytes(mb).unwrap_or_else(|| panic!("{}", not_mebibytes("c_heap_mb", mb))));
        self
    }

    /// The limit of bytes that are lost: unreachable, or reachable only from blocks that are lost
    /// themselves, as in a cycle of reference counts. Without it, they are reported but not limited.
    ///
    /// Lost blocks are found on Linux with glibc. A test that retains memory is run again for it, unless
    /// `LEAK_HOLDERS` is `on`.
    pub fn lost_bytes(mut self, bytes: u64) -> Self {
        self.lost_bytes = Some(bytes);
        self
    }

    /// Which figure the limits of bytes and blocks apply to.
    pub fn measure(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// How many call sites a report lists. 10 by default.
    ///
    /// # Panics
    ///
    /// When the number is 0.
    #[track_caller]
    pub fn top(mut self, top: u64) -> Self {
        assert!(top > 0, "leakcheck: `top` is 0, expected at least 1 call site");
        self.top = Some(top);
        self
    }
}

/// `None` for what is negative, infinite or not a number.
pub(crate) fn mb_to_bytes(mb: f64) -> Option<u64> {
    (mb.is_finite() && mb >= 0.0).then_some((mb * MB).round() as u64)
}

fn not_mebibytes(argument: &str, mb: f64) -> String {
    format!("leakcheck: `{argument}` is {mb}, expected a number of MiB, 0 or more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_in_mebibytes() {
        assert_eq!(mb_to_bytes(5.0), Some(5 << 20));
        assert_eq!(mb_to_bytes(0.5), Some(1 << 19));
        assert_eq!(mb_to_bytes(0.0), Some(0));
        for bad in [-0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(mb_to_bytes(bad), None);
        }
    }

    #[test]
    #[should_panic(expected = "`top` is 0, expected at least 1 call site")]
    fn a_report_without_call_sites_is_refused() {
        let _ = Options::new().top(0);
    }

    #[test]
    #[should_panic(expected = "`skip` is `\" \"`, expected a reason")]
    fn a_skip_without_a_reason_is_refused() {
        let _ = Options::new().skip(" ");
    }

    #[test]
    #[should_panic(expected = "`peak_mb` is -1, expected a number of MiB")]
    fn a_negative_limit_is_refused() {
        let _ = Options::new().peak_mb(-1.0);
    }
}
