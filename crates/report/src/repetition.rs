//! How a repeated body grew, iteration after iteration.

use serde::Serialize;

use crate::resource::Resource;

/// How the body was repeated, and what that showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Repetition {
    /// How many iterations were asked for after the warm-up; none where the check decided itself.
    pub iterations: Option<u64>,
    /// Iterations of the warm-up, which are not judged.
    pub warmup: u64,
    /// Iterations in each batch after the warm-up.
    pub batches: Vec<u64>,
    /// Why there were no more.
    pub stopped: Stopped,
    /// Which leaks would have been seen.
    pub sensitivity: Sensitivity,
    /// Bytes that every further iteration leaks.
    pub bytes_per_call: f64,
    /// The resources other than memory that grew.
    pub resources: Vec<GrowingResource>,
}

/// How a resource other than memory grew over the batches.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct GrowingResource {
    /// Which resource.
    pub what: Resource,
    /// What its course says.
    pub class: GrowthClass,
    /// Growth by batch.
    pub by_batch: Vec<i64>,
    /// Growth per iteration over the last four batches.
    pub per_call: f64,
}

impl GrowingResource {
    /// How severe the growth is. A process has few descriptors, threads and children, so one more
    /// in each call is severe.
    pub fn severity(&self) -> Severity {
        match self.what {
            Resource::CHeap => Severity::of(self.per_call, self.per_call),
            _ if self.per_call >= 0.95 => Severity::High,
            _ => Severity::Medium,
        }
    }
}

/// Why a body was not called any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stopped {
    /// Nothing grew any more.
    Certain,
    /// The body was called as often as was asked for.
    AsAsked,
    /// The cap on iterations was reached.
    CapOfCalls,
    /// The cap on time would have been exceeded.
    CapOfTime,
    /// Another batch would have left 256 MiB, 32 threads or 128 descriptors behind.
    CapOfGrowth,
}

/// How a call site grew over the batches.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Growing {
    /// What its course says.
    pub class: GrowthClass,
    /// Bytes by batch.
    pub bytes: Vec<i64>,
    /// Blocks by batch.
    pub blocks: Vec<i64>,
    /// Bytes per iteration over the last four batches.
    pub bytes_per_call: f64,
    /// Blocks per iteration over the last four batches.
    pub blocks_per_call: f64,
    /// How severe it is; for leaks.
    pub severity: Option<Severity>,
    /// What to look for; for leaks, where something is known.
    pub advice: Option<String>,
}

/// What a figure's course over the batches says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrowthClass {
    /// It grows in proportion to the iterations, evenly or in steps as a vector or a table grows.
    Leak,
    /// It grew once.
    WarmUp,
    /// It grows by less and less per iteration.
    FillingCache,
    /// It goes up and down.
    Plateau,
    /// It has grown in proportion, but over so few iterations that a small cache would have too.
    Undecided,
}

/// Which leaks a repetition would have seen, and what could hide from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Sensitivity {
    /// The smallest leak, in bytes per iteration, that would have been seen at any call site.
    pub bytes_per_call: f64,
    /// The longest interval, in iterations, at which a leak would still have been seen.
    pub every: u64,
    /// Bytes per iteration that were still allocated over the last batch at call sites that do not
    /// count as leaks; above 0 where a cap ended the repetition.
    pub still_growing: f64,
}

/// How severe a leak is, by its growth and by its share of all growth.
///
/// | severity | bytes per iteration | or, with at least half of all growth |
/// |---|---|---|
/// | critical | 1 MiB | 128 KiB |
/// | high | 64 KiB | 4 KiB |
/// | medium | 1 KiB | 64 B |
/// | low | less | less |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// See the table.
    Low,
    /// See the table.
    Medium,
    /// See the table.
    High,
    /// See the table.
    Critical,
}

impl Severity {
    /// The severity of a leak of so many bytes per iteration, of so many in all.
    pub fn of(bytes_per_call: f64, all_per_call: f64) -> Self {
        let most_of_it = bytes_per_call * 2.0 >= all_per_call;
        let reaches = |alone: f64, with_share: f64| {
            bytes_per_call >= alone || (most_of_it && bytes_per_call >= with_share)
        };
        if reaches(MIB, 128.0 * KIB) {
            Self::Critical
        } else if reaches(64.0 * KIB, 4.0 * KIB) {
            Self::High
        } else if reaches(KIB, 64.0) {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

impl Repetition {
    /// A repetition that ended for that reason, of which nothing more is known.
    pub fn new(warmup: u64, batches: Vec<u64>, stopped: Stopped) -> Self {
        Self {
            iterations: None,
            warmup,
            batches,
            stopped,
            sensitivity: Sensitivity::default(),
            bytes_per_call: 0.0,
            resources: Vec::new(),
        }
    }

    /// Iterations after the warm-up.
    pub fn calls(&self) -> u64 {
        self.batches.iter().sum()
    }
}

impl Sensitivity {
    /// What would have been seen, and what was still growing.
    pub fn new(bytes_per_call: f64, every: u64, still_growing: f64) -> Self {
        Self { bytes_per_call, every, still_growing }
    }
}

impl GrowingResource {
    /// The course of a resource.
    pub fn new(what: Resource, class: GrowthClass, by_batch: Vec<i64>, per_call: f64) -> Self {
        Self { what, class, by_batch, per_call }
    }
}

impl Growing {
    /// A course by batch, without growth per iteration, severity and advice.
    pub fn new(class: GrowthClass, bytes: Vec<i64>, blocks: Vec<i64>) -> Self {
        Self {
            class,
            bytes,
            blocks,
            bytes_per_call: 0.0,
            blocks_per_call: 0.0,
            severity: None,
            advice: None,
        }
    }

    /// Whether it grows in proportion to the iterations.
    pub fn is_leak(&self) -> bool {
        self.class == GrowthClass::Leak
    }

    /// The growth of call sites that look the same to the reader, as one.
    pub(crate) fn join(sum: &mut Option<Self>, other: Option<&Self>) {
        let Some(other) = other else { return };
        let Some(sum) = sum else {
            *sum = Some(other.clone());
            return;
        };
        for (sums, others) in [(&mut sum.bytes, &other.bytes), (&mut sum.blocks, &other.blocks)] {
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        }
        sum.bytes_per_call += other.bytes_per_call;
        sum.blocks_per_call += other.blocks_per_call;
        sum.severity = sum.severity.max(other.severity);
        if sum.advice.is_none() {
            sum.advice.clone_from(&other.advice);
        }
        if other.is_leak() {
            sum.class = GrowthClass::Leak;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_is_by_growth_and_by_share() {
        let alone = |bytes| Severity::of(bytes, bytes);
        assert_eq!(alone(63.0), Severity::Low);
        assert_eq!(alone(64.0), Severity::Medium);
        assert_eq!(alone(4.0 * KIB), Severity::High);
        assert_eq!(alone(128.0 * KIB), Severity::Critical);
        let among = |bytes| Severity::of(bytes, 100.0 * MIB);
        assert_eq!(among(KIB - 1.0), Severity::Low);
        assert_eq!(among(KIB), Severity::Medium);
        assert_eq!(among(64.0 * KIB), Severity::High);
        assert_eq!(among(MIB), Severity::Critical);
    }
}
