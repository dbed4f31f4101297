//! Limits and where they come from.

use std::fmt;

use serde::Serialize;

use crate::figure::Figure;
use crate::kind::Kind;
use crate::scope::Metric;

/// The largest value that passes, and where it was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Limit {
    /// The largest value that passes.
    pub value: u64,
    /// Where it was set.
    pub source: LimitSource,
}

/// Where a limit was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitSource {
    /// An argument of the attribute, or the method of `Options` with the same name.
    Argument {
        /// The argument's name.
        name: String,
    },
    /// An environment variable.
    Variable {
        /// The variable's name.
        name: String,
    },
    /// A setting of the command: its command line or a file of settings.
    Setting {
        /// The flag, or the file and the place in it.
        name: String,
    },
    /// The default for a type of tests.
    Default {
        /// The type.
        kind: Kind,
    },
}

/// What a measurement is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Limits {
    /// Which figure the limits of bytes and blocks apply to.
    pub measure: Metric,
    /// Always set, except in a check that repeats its body: growth decides there, unless a limit was
    /// given beside `iterations` or by `LEAK_THRESHOLD_MB`.
    pub bytes: Option<Limit>,
    /// Set on request.
    pub blocks: Option<Limit>,
    /// Set on request.
    pub peak_bytes: Option<Limit>,
    /// Set on request.
    pub threads: Option<Limit>,
    /// Set on request.
    #[serde(default)]
    pub fds: Option<Limit>,
    /// Set on request.
    #[serde(default)]
    pub children: Option<Limit>,
    /// Set on request.
    #[serde(default)]
    pub c_heap_bytes: Option<Limit>,
    /// Set on request.
    #[serde(default)]
    pub lost_bytes: Option<Limit>,
}

impl Limit {
    /// A limit with its source.
    pub fn new(value: u64, source: LimitSource) -> Self {
        Self { value, source }
    }

    /// A limit set by an argument.
    pub fn by_argument(name: impl Into<String>, value: u64) -> Self {
        Self::new(value, LimitSource::argument(name))
    }

    /// A limit set by an environment variable.
    pub fn by_variable(name: impl Into<String>, value: u64) -> Self {
        Self::new(value, LimitSource::variable(name))
    }

    /// The default limit of net growth in bytes for a type of tests.
    pub fn default_of(kind: Kind) -> Self {
        Self::new(kind.default_bytes(), LimitSource::Default { kind })
    }
}

impl LimitSource {
    /// An argument.
    pub fn argument(name: impl Into<String>) -> Self {
        Self::Argument { name: name.into() }
    }

    /// An environment variable.
    pub fn variable(name: impl Into<String>) -> Self {
        Self::Variable { name: name.into() }
    }

    /// A setting of the command.
    pub fn setting(name: impl Into<String>) -> Self {
        Self::Setting { name: name.into() }
    }

    /// Whether somebody wrote the limit, as opposed to a default.
    pub fn is_written(&self) -> bool {
        !matches!(self, Self::Default { .. })
    }

    /// Whether this is the environment variable with that name.
    pub fn is_variable(&self, wanted: &str) -> bool {
        matches!(self, Self::Variable { name } if name == wanted)
    }
}

impl fmt::Display for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { name } | Self::Variable { name } | Self::Setting { name } => {
                f.write_str(name)
            }
            Self::Default { kind } => write!(f, "default for {kind} tests"),
        }
    }
}

impl Limits {
    /// The limit of a figure, where it has one. Growth per call has a limit of its own making.
    pub fn of(&self, figure: Figure) -> Option<&Limit> {
        match figure {
            Figure::Bytes => self.bytes.as_ref(),
            Figure::Blocks => self.blocks.as_ref(),
            Figure::PeakBytes => self.peak_bytes.as_ref(),
            Figure::Threads => self.threads.as_ref(),
            Figure::Fds => self.fds.as_ref(),
            Figure::Children => self.children.as_ref(),
            Figure::CHeapBytes => self.c_heap_bytes.as_ref(),
            Figure::LostBytes => self.lost_bytes.as_ref(),
            Figure::BytesPerCall
            | Figure::ThreadsPerCall
            | Figure::FdsPerCall
            | Figure::ChildrenPerCall
            | Figure::CHeapBytesPerCall => None,
        }
    }
}
