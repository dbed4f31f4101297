//! Live bytes over the time of a check.

use serde::{Deserialize, Serialize};

/// Live bytes over the time of a check, as `LEAK_TIMELINE` asks for them: two lists of the same length, whose entries
/// belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timeline {
    /// Milliseconds from one reading to the next, as it was in the end: of a long check there are fewer readings, and of
    /// each two earlier ones the higher was kept.
    pub interval_ms: u64,
    /// When each reading was, in milliseconds since the region opened. The first one is 0, the last is when the
    /// region was measured for the verdict.
    pub ms: Vec<f64>,
    /// The most bytes of the region that are known to have been live since the reading before. The last one is what
    /// was live then, and the highest is the region's peak.
    pub bytes: Vec<u64>,
}
