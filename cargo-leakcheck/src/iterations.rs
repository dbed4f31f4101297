//! How often test bodies are repeated.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The value of `--iterations`, `LEAK_ITERATIONS` and the key in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) enum Iterations {
    /// Until it is clear what grows.
    Auto,
    /// This many times, at least once.
    Exactly(u64),
}

pub(crate) const EXPECTED: &str = "`auto` or a whole number, 1 or more";

/// The value in a manifest.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
    Other(serde::de::IgnoredAny),
}

impl FromStr for Iterations {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(calls @ 1..) => Ok(Self::Exactly(calls)),
            _ => Err(format!("expected {EXPECTED}")),
        }
    }
}

impl TryFrom<Written> for Iterations {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written::Number(calls) => calls.to_string().parse(),
            Written::Text(text) => text.parse(),
            Written::Other(_) => Err(format!("expected {EXPECTED}")),
        }
    }
}

impl fmt::Display for Iterations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exactly(calls) => calls.fmt(f),
        }
    }
}
