//! What is compared.

use crate::Result;
use crate::profile::Profile;
use crate::program::Program;

/// A way to watch allocations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rival {
    /// As tables call it.
    pub(crate) name: &'static str,
    /// Its package in `rivals`.
    pub(crate) package: &'static str,
    pub(crate) build: Build,
    /// What its program runs with.
    pub(crate) variable: Option<(&'static str, &'static str)>,
    /// By how much less it is given to do, for the slow ones. It is held against the system's
    /// allocator with as little to do.
    pub(crate) divisor: u64,
}

/// What a rival needs to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// The profile, as it is.
    Plain,
    /// These packages optimised as well, where it is `dev-opt`.
    Optimised(&'static [&'static str]),
    /// The nightly toolchain and LeakSanitizer.
    LeakSanitizer,
}

/// What the ratios are relative to.
pub(crate) const SYSTEM: Rival = rival("System", "rival-system");

const STATS_ALLOC: Rival = rival("stats_alloc", "rival-stats_alloc");
const STACKS_OFF: Rival = leakcheck("leakcheck, stacks off", "off");
const SAMPLED: Rival = leakcheck("leakcheck, sampled stacks", "sampled");
const FULL: Rival = leakcheck("leakcheck", "full");
const MOCKALLOC: Rival = rival("mockalloc", "rival-mockalloc");
const LEAK_SANITIZER: Rival =
    Rival { build: Build::LeakSanitizer, ..rival("LeakSanitizer", "rival-system") };
const DHAT: Rival = rival("dhat", "rival-dhat").slow(10);
const MOCKALLOC_TRACING: Rival = rival("mockalloc, `tracing`", "rival-mockalloc-tracing").slow(20);

/// In the dev profile a user may optimise these as well as leakcheck.
const OPTIMISED: [Rival; 2] = [
    Rival {
        name: "dhat, optimised",
        build: Build::Optimised(&["dhat", "rustc-hash", "parking_lot", "lock_api", "mintex"]),
        ..DHAT
    },
    Rival {
        name: "mockalloc, `tracing`, optimised",
        build: Build::Optimised(&["mockalloc"]),
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

    /// Whether it is leakcheck as it is by default.
    pub(crate) fn is_full(&self) -> bool {
        self.name == FULL.name
    }

    /// Whether it is another one that captures call stacks.
    pub(crate) fn is_another_with_stacks(&self) -> bool {
        let packages = [DHAT.package, MOCKALLOC_TRACING.package];
        self.build == Build::LeakSanitizer || packages.contains(&self.package)
    }
}

/// Those that can be built and run here, built.
#[derive(Debug)]
pub(crate) struct Field {
    /// The system's allocator comes first.
    pub(crate) programs: Vec<Program>,
    /// What had to be left out, and why.
    pub(crate) left_out: Vec<String>,
}

/// All of them.
pub(crate) fn everyone(profile: Profile) -> Result<Field> {
    let mut rivals = vec![SYSTEM, STATS_ALLOC, STACKS_OFF, SAMPLED, FULL];
    rivals.extend([MOCKALLOC, LEAK_SANITIZER, DHAT, MOCKALLOC_TRACING]);
    if profile == Profile::DevOpt {
        rivals.extend(OPTIMISED);
    }
    field(&rivals, profile)
}

/// leakcheck and who only counts.
pub(crate) fn quick(profile: Profile) -> Result<Field> {
    field(&[SYSTEM, STATS_ALLOC, STACKS_OFF, SAMPLED, FULL], profile)
}

/// leakcheck and who captures call stacks too.
pub(crate) fn capturing(profile: Profile) -> Result<Field> {
    field(&[SYSTEM, STACKS_OFF, SAMPLED, FULL, LEAK_SANITIZER, DHAT], profile)
}

fn field(rivals: &[Rival], profile: Profile) -> Result<Field> {
    let mut field = Field { programs: Vec::new(), left_out: Vec::new() };
    for rival in rivals {
        match Program::build(rival, profile)? {
            Ok(program) => field.programs.push(program),
            Err(why) => field.left_out.push(format!("{} is left out: {why}.", rival.name)),
        }
    }
    Ok(field)
}
