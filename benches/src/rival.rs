//! The allocators and tools that are compared.

/// An allocator, or a tool that watches allocations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rival {
    /// The name in tables.
    pub(crate) name: &'static str,
    /// The package in `benches/rivals`.
    pub(crate) package: &'static str,
    pub(crate) build: Build,
    /// An environment variable that its program runs with.
    pub(crate) variable: Option<(&'static str, &'static str)>,
    /// Divides the size of each task, for slow rivals. They are compared with the system allocator on
    /// the smaller task.
    pub(crate) divisor: u64,
}

/// How a rival is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// With the profile, unchanged.
    Plain,
    /// With these packages optimized as well.
    Optimized(&'static [&'static str]),
    /// With the nightly toolchain and LeakSanitizer.
    LeakSanitizer,
}

/// The baseline of all ratios.
const SYSTEM: Rival = rival("System", "rival-system");

const STATS_ALLOC: Rival = rival("stats_alloc", "rival-stats_alloc");
const STACKS_OFF: Rival = leakcheck("leakcheck, stacks off", "off");
const SAMPLED: Rival = leakcheck("leakcheck, sampled stacks", "sampled");
const FULL: Rival = leakcheck("leakcheck", "full");
const MOCKALLOC: Rival = rival("mockalloc", "rival-mockalloc");
const LEAK_SANITIZER: Rival =
    Rival { build: Build::LeakSanitizer, ..rival("LeakSanitizer", "rival-system") };
const DHAT: Rival = rival("dhat", "rival-dhat").slow(10);
const MOCKALLOC_TRACING: Rival = rival("mockalloc, `tracing`", "rival-mockalloc-tracing").slow(20);

/// All rivals, in the order of the tables.
pub(crate) const ALL: [Rival; 9] = [
    SYSTEM,
    STATS_ALLOC,
    STACKS_OFF,
    SAMPLED,
    FULL,
    MOCKALLOC,
    LEAK_SANITIZER,
    DHAT,
    MOCKALLOC_TRACING,
];

/// leakcheck, and the rivals that only count.
pub(crate) const COUNTING: [Rival; 5] = [SYSTEM, STATS_ALLOC, STACKS_OFF, SAMPLED, FULL];

/// leakcheck, and the rivals that capture call stacks too.
pub(crate) const CAPTURING: [Rival; 6] = [SYSTEM, STACKS_OFF, SAMPLED, FULL, LEAK_SANITIZER, DHAT];

/// Rivals with their own packages optimized in the dev profile, as leakcheck recommends for its packages.
pub(crate) const OPTIMIZED: [Rival; 2] = [
    Rival {
        name: "dhat, optimized",
        build: Build::Optimized(&["dhat", "rustc-hash", "parking_lot", "lock_api", "mintex"]),
        ..DHAT
    },
    Rival {
        name: "mockalloc, `tracing`, optimized",
        build: Build::Optimized(&["mockalloc"]),
        ..MOCKALLOC_TRACING
    },
];

const fn rival(name: &'static str, package: &'static str) -> Rival {
    Rival { name, package, build: Build::Plain, variable: None, divisor: 1 }
}

const fn leakcheck(name: &'static str, stacks: &'static str) -> Rival {
    Rival { variable: Some(("LEAK_STACKS", stacks)), ..rival(name, "rival-leakcheck") }
}

impl Rival {
    const fn slow(self, divisor: u64) -> Self {
        Self { divisor, ..self }
    }

    /// Whether this is leakcheck with its default settings.
    pub(crate) fn is_full(&self) -> bool {
        self.name == FULL.name
    }

    /// Whether this is another tool that captures call stacks.
    pub(crate) fn is_other_with_stacks(&self) -> bool {
        let packages = [DHAT.package, MOCKALLOC_TRACING.package];
        self.build == Build::LeakSanitizer || packages.contains(&self.package)
    }
}
