//! The cargo profiles that programs are built with.

/// The packages that the documentation recommends to optimize in the dev profile: those that run on every allocation.
pub(crate) const RECOMMENDED: [&str; 3] =
    ["leakcheck-ledger", "leakcheck-system", "leakcheck-unwind"];

/// A cargo profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Everything unoptimized, including dependencies: the default of `cargo test`.
    Dev,
    /// The same, with the packages in [`RECOMMENDED`] optimized.
    DevOpt,
    Release,
}

impl Profile {
    pub(crate) const ALL: [Self; 3] = [Self::Dev, Self::DevOpt, Self::Release];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::DevOpt => "dev-opt",
            Self::Release => "release",
        }
    }

    /// The subdirectory of the target directory that cargo puts programs into.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Dev | Self::DevOpt => "debug",
            Self::Release => "release",
        }
    }

    /// The arguments of cargo that select this profile.
    pub(crate) fn arguments(self) -> Vec<String> {
        match self {
            Self::Dev => vec![],
            Self::DevOpt => optimize(&RECOMMENDED),
            Self::Release => vec!["--release".to_owned()],
        }
    }
}

/// The arguments of cargo that optimize packages in the dev profile.
pub(crate) fn optimize(packages: &[&str]) -> Vec<String> {
    let line = |package| format!("--config=profile.dev.package.{package}.opt-level=3");
    packages.iter().map(line).collect()
}
