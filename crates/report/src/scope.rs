//! What a check watches and records.

use serde::Serialize;

/// Which threads a region watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// The test's own thread and every thread started inside the region.
    #[default]
    Test,
    /// Every thread of the process except the one that libtest itself runs on. Such a region runs
    /// alone.
    Process,
}

impl Scope {
    /// The name of the scope in settings and in the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Process => "process",
        }
    }
}

/// The figure that the limits of bytes and blocks apply to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// Retained minus released.
    #[default]
    Net,
    /// Retained alone: freeing what others allocated does not offset it.
    Retained,
}

/// The blocks whose call stacks are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stacks {
    /// All blocks.
    #[default]
    Full,
    /// Large blocks and a sample of the others.
    Sampled,
    /// None.
    Off,
}

impl Stacks {
    /// What a setting may say, as error messages have it.
    pub const EXPECTED: &str = "`full`, `sampled` or `off`";

    /// The value with that name in settings.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Full, Self::Sampled, Self::Off].into_iter().find(|stacks| stacks.name() == name)
    }

    /// The name of the value in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Sampled => "sampled",
            Self::Off => "off",
        }
    }
}
