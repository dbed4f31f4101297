//! The corpus as one table: what a check of the Rust heap must say about each case.

/// A case: a directory in `tests/corpus`.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Builds quickly, so CI runs it.
    pub(crate) ci: bool,
}

pub(crate) enum Kind {
    /// The leaky variant must fail with this crate (or the trigger) among the frames, and with this
    /// reference path. LeakSanitizer agrees on what is lost and what is reachable.
    Leaks { krate: &'static str, holder: &'static str },
    /// The leaky variant leaves file descriptors open, which repetition finds.
    Descriptors { krate: &'static str },
    /// The leaky variant leaks outside of the Rust heap, so the check must pass.
    Unseen,
    /// Not a leak, although it looks like one.
    Quiet,
}

/// One package of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Leaky,
    Fixed,
    Quiet,
}

/// A test of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// Many calls in one run, with a limit: `tests.rs` of the case.
    Once,
    /// One call per iteration, repeated: `repeated.rs`, which all cases share.
    Repeated,
}

/// The expected result of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Passes,
    Leaks { krate: &'static str, holder: Option<&'static str> },
}

pub(crate) const CASES: &[Case] = &[
    leaks("axum-serve-task", "axum", "kept alive by static case::RT.handle.inner.0 →"),
    leaks("bytes-from-owner", "bytes", "lost reachable only from lost Box<Owned<Vec<u8>>>").in_ci(),
    leaks("cached-unbounded", "cached", "kept alive by static case::DESCRIBE → RawTable<(u64, String)>"),
    leaks(
        "calloop-cancelled-timers",
        "calloop",
        "kept alive by thread-local case::LOOP.handle.inner of the test's own thread",
    ),
    leaks("cancellation-token", "tokio_util", "lost reachable only from lost Box<CancellationTokenState>"),
    leaks("flume-recv-repoll", "flume", "kept alive by static case::LIVE.stream.receiver.0.shared →"),
    leaks("futures-unordered-into-iter", "futures_util", "lost in a cycle: Arc<Task<Pending<u32>>>"),
    leaks("hecs-column-batch", "hecs", "lost nothing points to it"),
    leaks("lru-clear", "lru", "lost nothing points to it").in_ci(),
    descriptors("mio-uds-bind-fd", "mio"),
    leaks("moka-evict-keys", "moka", "lost nothing points to it"),
    leaks(
        "notify-watch-timer-thread",
        "notify",
        "kept alive by the stack of an unnamed thread, still running",
    ),
    unseen("onig-match-param"),
    leaks("rayon-collect-panic", "rayon", "nothing points to it").in_ci(),
    leaks(
        "rphtml-cycle",
        "rphtml",
        "Rc<RefCell<Node>> (../src/lib.rs:7) through `end_tag` and `parent`; make one side a `Weak`",
    )
    .in_ci(),
    leaks("smallvec-insert-many-panic", "smallvec", "lost nothing points to it").in_ci(),
    leaks("tokio-blocking-detached", "tokio", "lost nothing points to it"),
    leaks("tokio-broadcast-waiters", "tokio", "kept alive by static case::TX.shared →").in_ci(),
    leaks(
        "tokio-io-shutdown-cycle",
        "tokio",
        "(../src/lib.rs:12) through `slots.slots` and `value.page`; make one side a `Weak`",
    ),
    quiet("quiet-deferred-drop").in_ci(),
    quiet("quiet-env-logger"),
    quiet("quiet-lru-bounded").in_ci(),
    quiet("quiet-moka-bounded"),
    quiet("quiet-println-capture").in_ci(),
    quiet("quiet-rayon-global-pool"),
    quiet("quiet-regex-static"),
    quiet("quiet-thread-locals"),
];

const fn leaks(name: &'static str, krate: &'static str, holder: &'static str) -> Case {
    Case { name, kind: Kind::Leaks { krate, holder }, ci: false }
}

const fn descriptors(name: &'static str, krate: &'static str) -> Case {
    Case { name, kind: Kind::Descriptors { krate }, ci: false }
}

const fn unseen(name: &'static str) -> Case {
    Case { name, kind: Kind::Unseen, ci: false }
}

const fn quiet(name: &'static str) -> Case {
    Case { name, kind: Kind::Quiet, ci: false }
}

impl Case {
    const fn in_ci(self) -> Self {
        Case { ci: true, ..self }
    }

    pub(crate) fn variants(&self) -> &'static [Variant] {
        match self.kind {
            Kind::Leaks { .. } | Kind::Descriptors { .. } | Kind::Unseen => {
                &[Variant::Leaky, Variant::Fixed]
            }
            Kind::Quiet => &[Variant::Quiet],
        }
    }

    pub(crate) fn expected(&self, variant: Variant, test: Test) -> Expected {
        match (&self.kind, variant, test) {
            (&Kind::Leaks { krate, holder }, Variant::Leaky, Test::Once) => {
                Expected::Leaks { krate, holder: Some(holder) }
            }
            (
                &Kind::Leaks { krate, .. } | &Kind::Descriptors { krate },
                Variant::Leaky,
                Test::Repeated,
            ) => Expected::Leaks { krate, holder: None },
            _ => Expected::Passes,
        }
    }
}

impl Variant {
    /// The directory of the package.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Variant::Leaky => "leaky",
            Variant::Fixed => "fixed",
            Variant::Quiet => "quiet",
        }
    }
}

impl Test {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Test::Once => "once",
            Test::Repeated => "repeated",
        }
    }

    /// The arguments for `cargo test`.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Test::Once => &["--test", "corpus"],
            Test::Repeated => &["--test", "repeated", "--", "--exact", "alone"],
        }
    }
}
