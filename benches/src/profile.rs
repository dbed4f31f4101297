//! How programs are built.

/// What the project's README recommends to optimise in the dev profile.
pub(crate) const RECOMMENDED: [&str; 1] = ["leakcheck"];

/// A profile of cargo's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Everything unoptimised, dependencies too: what `cargo test` does.
    Dev,
    /// The same, with [`RECOMMENDED`].
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

    /// The folder of the target folder that cargo puts programs into.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Dev | Self::DevOpt => "debug",
            Self::Release => "release",
        }
    }

    /// What makes cargo build so.
    pub(crate) fn arguments(self) -> Vec<String> {
        match self {
            Self::Dev => vec![],
            Self::DevOpt => optimise(&RECOMMENDED),
            Self::Release => vec!["--release".to_owned()],
        }
    }
}

/// What makes cargo optimise some packages in the dev profile.
pub(crate) fn optimise(packages: &[&str]) -> Vec<String> {
    let line = |package| format!("--config=profile.dev.package.{package}.opt-level=3");
    packages.iter().map(line).collect()
}
