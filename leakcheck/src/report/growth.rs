//! What a repeated body left behind, call after call.

use serde::{Deserialize, Serialize};

use super::advice;
use super::{CallSite, Test};
use crate::options::Iterations;
use crate::repeat::{self, Evidence, Finding, Plan, Stop};

pub use crate::left::Thing;
pub use crate::repeat::{Class as GrowthClass, Sensitivity};

/// How the body was repeated, and what that showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Repetition {
    /// How many calls were asked for after the warm-up; none where the check decided itself.
    pub iterations: Option<u64>,
    /// Calls before those that are judged.
    pub warmup: u64,
    /// Calls in each batch after the warm-up.
    pub batches: Vec<u64>,
    /// Why there were no more.
    pub stopped: Stopped,
    /// What would have been seen.
    pub sensitivity: Sensitivity,
    /// Bytes that every further call leaves behind.
    pub bytes_per_call: f64,
    /// What grew beside memory.
    pub left: Vec<LeftGrowing>,
}

/// How what is left behind beside memory grew over the batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeftGrowing {
    /// What it is.
    pub what: Thing,
    /// What its course says.
    pub class: GrowthClass,
    /// By batch.
    pub by_batch: Vec<i64>,
    /// How much a call over the last four batches.
    pub per_call: f64,
}

/// Why a body was not called any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stopped {
    /// Nothing grew any more.
    Certain,
    /// As many calls as were asked for were made.
    AsAsked,
    /// The cap in calls was reached.
    CapOfCalls,
    /// The cap in time would have been passed.
    CapOfTime,
    /// Another batch would have left 256 MB, 32 threads or 128 descriptors behind.
    CapOfGrowth,
}

/// How a call site grew over the batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Growing {
    /// What its course says.
    pub class: GrowthClass,
    /// Bytes by batch.
    pub bytes: Vec<i64>,
    /// Blocks by batch.
    pub blocks: Vec<i64>,
    /// Bytes a call over the last four batches.
    pub bytes_per_call: f64,
    /// Blocks a call over the last four batches.
    pub blocks_per_call: f64,
    /// How bad it is; for leaks.
    pub severity: Option<Severity>,
    /// What to look for; for leaks, where something tells.
    pub advice: Option<String>,
}

/// How bad a leak is, by its growth and by its share of all growth.
///
/// | severity | bytes a call | or, with at least half of all growth |
/// |---|---|---|
/// | critical | 1 MB | 128 kB |
/// | high | 64 kB | 4 kB |
/// | medium | 1 kB | 64 B |
/// | low | less | less |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// For so many bytes a call, of so many in all.
    pub(crate) fn of(bytes_per_call: f64, all_per_call: f64) -> Self {
        let most_of_it = bytes_per_call * 2.0 >= all_per_call;
        let reaches = |alone: f64, with_share: f64| {
            bytes_per_call >= alone || (most_of_it && bytes_per_call >= with_share)
        };
        if reaches(MB, 128.0 * KB) {
            Self::Critical
        } else if reaches(64.0 * KB, 4.0 * KB) {
            Self::High
        } else if reaches(KB, 64.0) {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

const KB: f64 = 1024.0;
const MB: f64 = 1024.0 * KB;

impl Repetition {
    pub(crate) fn new(plan: &Plan, finding: &Finding) -> Self {
        Self {
            iterations: match plan.iterations {
                Iterations::Auto => None,
                Iterations::Exactly(calls) => Some(calls),
            },
            warmup: finding.warmup,
            batches: finding.batches.clone(),
            stopped: match finding.stop {
                Stop::Certain => Stopped::Certain,
                Stop::AsAsked => Stopped::AsAsked,
                Stop::Calls => Stopped::CapOfCalls,
                Stop::Time => Stopped::CapOfTime,
                Stop::Growth => Stopped::CapOfGrowth,
            },
            sensitivity: finding.sensitivity,
            bytes_per_call: finding.leaked_per_call(),
            left: finding.left.iter().map(|(thing, it)| LeftGrowing::new(*thing, it)).collect(),
        }
    }

    /// Calls after the warm-up.
    pub fn calls(&self) -> u64 {
        self.batches.iter().sum()
    }
}

impl LeftGrowing {
    fn new(what: Thing, evidence: &Evidence) -> Self {
        let Evidence { class, by_batch, per_call } = evidence.clone();
        Self { what, class, by_batch, per_call }
    }
}

impl Growing {
    /// With the advice that the call site's frames give.
    pub(crate) fn new(growing: &repeat::Growing, site: &CallSite, all_per_call: f64) -> Self {
        let is_leak = growing.class == GrowthClass::Leak;
        let severity = is_leak.then(|| Severity::of(growing.bytes_per_call, all_per_call));
        Self {
            class: growing.class,
            bytes: growing.bytes.clone(),
            blocks: growing.blocks.clone(),
            bytes_per_call: growing.bytes_per_call,
            blocks_per_call: growing.blocks_per_call,
            severity,
            advice: is_leak.then(|| advice::of(&site.frames)).flatten().map(str::to_owned),
        }
    }
}

impl Growing {
    /// Whether it keeps pace with the calls.
    pub(crate) fn is_leak(&self) -> bool {
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

/// The command that repeats one test until it is clear what leaks.
pub(crate) fn command(test: &Test) -> Option<String> {
    let package = test.package.as_ref()?;
    let target = match (&test.binary, test.integration, &test.krate) {
        (Some(binary), ..) => format!(" --bin {binary}"),
        (None, true, Some(target)) => format!(" --test {target}"),
        _ => String::new(),
    };
    let name = &test.name;
    Some(format!("LEAK_ITERATIONS=auto cargo test -p {package}{target} -- --exact {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_is_by_growth_and_by_share() {
        let alone = |bytes| Severity::of(bytes, bytes);
        assert_eq!(alone(63.0), Severity::Low);
        assert_eq!(alone(64.0), Severity::Medium);
        assert_eq!(alone(4.0 * KB), Severity::High);
        assert_eq!(alone(128.0 * KB), Severity::Critical);
        let among = |bytes| Severity::of(bytes, 100.0 * MB);
        assert_eq!(among(KB - 1.0), Severity::Low);
        assert_eq!(among(KB), Severity::Medium);
        assert_eq!(among(64.0 * KB), Severity::High);
        assert_eq!(among(MB), Severity::Critical);
    }

    #[test]
    fn the_command_selects_the_test() {
        let test = Test {
            name: "cache::tests::evicts".into(),
            package: Some("app".into()),
            krate: Some("app".into()),
            ..Test::default()
        };
        assert_eq!(
            command(&test).unwrap(),
            "LEAK_ITERATIONS=auto cargo test -p app -- --exact cache::tests::evicts"
        );
        let test =
            Test { integration: true, krate: Some("api".into()), name: "serves".into(), ..test };
        assert_eq!(
            command(&test).unwrap(),
            "LEAK_ITERATIONS=auto cargo test -p app --test api -- --exact serves"
        );
        assert_eq!(command(&Test::default()), None);
    }
}
