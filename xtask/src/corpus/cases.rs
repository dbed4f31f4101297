//! The corpus as one table: what a check of the Rust heap must say about each case.

/// A folder of `tests/corpus`.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Builds quickly, and so is part of what CI runs.
    pub(super) ci: bool,
}

pub(super) enum Kind {
    /// The leaky variant must fail with this crate (or the trigger) among the frames.
    Leaks { krate: &'static str },
    /// The leaky variant leaks, but not into the Rust heap: the check must not see it.
    Unseen,
    /// There is no leak, however much it looks like one.
    Quiet,
}

/// One package of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    Leaky,
    Fixed,
    Quiet,
}

/// What the test of one package must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Passes,
    Leaks { krate: &'static str },
}

pub(super) const CASES: &[Case] = &[
    leaks("axum-serve-task", "axum"),
    leaks("bytes-from-owner", "bytes").in_ci(),
    leaks("cached-unbounded", "cached"),
    leaks("calloop-cancelled-timers", "calloop"),
    leaks("cancellation-token", "tokio_util"),
    leaks("flume-recv-repoll", "flume"),
    leaks("futures-unordered-into-iter", "futures_util"),
    leaks("hecs-column-batch", "hecs"),
    leaks("lru-clear", "lru").in_ci(),
    unseen("mio-uds-bind-fd"),
    leaks("moka-evict-keys", "moka"),
    leaks("notify-watch-timer-thread", "notify"),
    unseen("onig-match-param"),
    leaks("rayon-collect-panic", "rayon").in_ci(),
    leaks("rphtml-cycle", "rphtml").in_ci(),
    leaks("smallvec-insert-many-panic", "smallvec").in_ci(),
    leaks("tokio-blocking-detached", "tokio"),
    leaks("tokio-broadcast-waiters", "tokio").in_ci(),
    leaks("tokio-io-shutdown-cycle", "tokio"),
    quiet("quiet-deferred-drop").in_ci(),
    quiet("quiet-env-logger"),
    quiet("quiet-lru-bounded").in_ci(),
    quiet("quiet-moka-bounded"),
    quiet("quiet-println-capture").in_ci(),
    quiet("quiet-rayon-global-pool"),
    quiet("quiet-regex-static"),
    quiet("quiet-thread-locals"),
];

const fn leaks(name: &'static str, krate: &'static str) -> Case {
    Case { name, kind: Kind::Leaks { krate }, ci: false }
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

    pub(super) fn variants(&self) -> &'static [Variant] {
        match self.kind {
            Kind::Leaks { .. } | Kind::Unseen => &[Variant::Leaky, Variant::Fixed],
            Kind::Quiet => &[Variant::Quiet],
        }
    }

    pub(super) fn expected(&self, variant: Variant) -> Expected {
        match (&self.kind, variant) {
            (&Kind::Leaks { krate }, Variant::Leaky) => Expected::Leaks { krate },
            _ => Expected::Passes,
        }
    }
}

impl Variant {
    /// The name of the package's folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Variant::Leaky => "leaky",
            Variant::Fixed => "fixed",
            Variant::Quiet => "quiet",
        }
    }
}
