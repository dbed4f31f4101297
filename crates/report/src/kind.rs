//! The type of a test.

use std::fmt;

use serde::Serialize;

/// The type of a test, which decides its default limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A test beside the code; 1 MiB.
    #[default]
    Unit,
    /// A test in the `tests` directory; 5 MiB.
    Integration,
    /// A test that runs long and warms up a lot; 10 MiB.
    LongRunning,
}

impl Kind {
    /// All kinds, each at the index `kind as usize`.
    pub const ALL: [Self; 3] = [Self::Unit, Self::Integration, Self::LongRunning];

    /// The name of the kind in settings and in the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Integration => "integration",
            Self::LongRunning => "long_running",
        }
    }

    /// The limit of net growth in bytes where none was given.
    pub fn default_bytes(self) -> u64 {
        let mb = match self {
            Self::Unit => 1,
            Self::Integration => 5,
            Self::LongRunning => 10,
        };
        mb << 20
    }

    /// The environment variable that sets the default limit of the kind.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Unit => "LEAK_THRESHOLD_MB_UNIT",
            Self::Integration => "LEAK_THRESHOLD_MB_INTEGRATION",
            Self::LongRunning => "LEAK_THRESHOLD_MB_LONG_RUNNING",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unit => "unit",
            Self::Integration => "integration",
            Self::LongRunning => "long-running",
        })
    }
}
