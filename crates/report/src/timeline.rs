//! Live bytes over the time of a check.

use serde::Serialize;

/// Live bytes over the time of a check, recorded with `LEAK_TIMELINE`: two lists of the same length,
/// whose entries belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Timeline {
    /// Milliseconds from one reading to the next at the end. In a long check there are fewer readings,
    /// and of each two earlier ones the higher is kept.
    pub interval_ms: u64,
    /// When each reading was taken, in milliseconds since the region opened. The first one is 0, the
    /// last is when the region was measured for the verdict.
    pub ms: Vec<f64>,
    /// The most bytes of the region that are known to have been live since the previous reading. The
    /// last one is what was live then, and the highest is the region's peak.
    pub bytes: Vec<u64>,
}

impl Timeline {
    /// Readings, each with its time and what was live since the previous one.
    pub fn new(interval_ms: u64, readings: impl IntoIterator<Item = (f64, u64)>) -> Self {
        let (ms, bytes) = readings.into_iter().unzip();
        Self { interval_ms, ms, bytes }
    }
}
