//! The baseline: known leaks of an existing code base, in `leakcheck-baseline.json`.
//!
//! It lists leaks by fingerprint and the figures of each test. A leak fails only if it is not listed,
//! and a figure only if it exceeds the listed one by more than its tolerance.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use leakcheck_report::{Excess, Figure};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{Compared, Fixed, Regression, Run, Site, Status, Test};

/// The version of the file's schema.
const SCHEMA: u32 = 1;

/// Call sites with a smaller share of what their test leaks are not listed: the scheduler decides
/// which test of a program is the first to fill a lazy static.
const SMALLEST_PERCENT: u64 = 1;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    schema: u32,
    /// By test id.
    tests: BTreeMap<String, Known>,
}

/// The known figures and leaks of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    net_growth: i64,
    peak: u64,
    churn: u64,
    /// The number of calls of a repeated body. Figures are compared only if the numbers are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls: Option<u64>,
    /// Figures other than the growth in bytes that exceed their limits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    over: BTreeMap<Figure, i64>,
    /// By fingerprint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    leaks: BTreeMap<String, KnownLeak>,
}

/// A known leak.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct KnownLeak {
    /// The function that allocates, for readers of the file.
    at: String,
    bytes: u64,
}

/// How much a figure may exceed the baseline: by a percentage of it, or by `at_least_kb` KiB if that
/// is more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tolerance {
    net_growth_percent: f64,
    peak_percent: f64,
    churn_percent: f64,
    at_least_kb: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            net_growth_percent: 10.0,
            peak_percent: 25.0,
            churn_percent: 25.0,
            at_least_kb: 64.0,
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { net_growth_percent, peak_percent, churn_percent, at_least_kb } = self;
        write!(
            f,
            "net growth {net_growth_percent} %, peak {peak_percent} %, churn {churn_percent} %, at least {at_least_kb} KiB"
        )
    }
}

impl Tolerance {
    /// The name of an invalid value.
    pub(crate) fn invalid_value(&self) -> Option<&'static str> {
        let values = [
            ("net_growth_percent", self.net_growth_percent),
            ("peak_percent", self.peak_percent),
            ("churn_percent", self.churn_percent),
            ("at_least_kb", self.at_least_kb),
        ];
        let wrong = values.iter().find(|(_, value)| !value.is_finite() || *value < 0.0);
        wrong.map(|(name, _)| *name)
    }

    /// The largest value that passes.
    fn tolerated(&self, before: i64, percent: f64) -> i64 {
        let part = before.unsigned_abs() as f64 * percent / 100.0;
        before.saturating_add(part.max(self.at_least_kb * 1024.0) as i64)
    }

    /// The largest value that passes, for a figure that exceeds its limit. One more thread, descriptor or
    /// child is a new leak.
    pub(crate) fn tolerated_excess(&self, figure: Figure, before: i64) -> i64 {
        match figure {
            Figure::PeakBytes => self.tolerated(before, self.peak_percent),
            Figure::CHeapBytes
            | Figure::LostBytes
            | Figure::BytesPerCall
            | Figure::CHeapBytesPerCall => self.tolerated(before, self.net_growth_percent),
            Figure::Blocks => {
                let part = before.unsigned_abs() as f64 * self.net_growth_percent / 100.0;
                before.saturating_add(part as i64)
            }
            _ => before,
        }
    }

    /// The figures of a test that exceed their tolerance.
    pub(crate) fn regressions(
        &self,
        before: (i64, u64, u64),
        now: (i64, u64, u64),
    ) -> Vec<Regression> {
        let size = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
        let figures = [
            (Compared::NetGrowth, before.0, now.0, self.net_growth_percent),
            (Compared::Peak, size(before.1), size(now.1), self.peak_percent),
            (Compared::Churn, size(before.2), size(now.2), self.churn_percent),
        ];
        let beyond = figures.into_iter().filter_map(|(figure, before, now, percent)| {
            let tolerated = self.tolerated(before, percent);
            (now > tolerated).then_some(Regression { figure, before, now, tolerated })
        });
        beyond.collect()
    }
}

impl Baseline {
    /// Reads a baseline. Returns `None` if the file does not exist.
    ///
    /// # Errors
    ///
    /// If the file is not a baseline, or was written by a later version.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("read", path, error)),
        };
        Self::parse(&text)
            .map(Some)
            .map_err(|why| Error::unusable(format!("the baseline `{}` {why}", path.display())))
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let marker =
            |line: &&str| ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|m| line.starts_with(m));
        if let Some(at) = text.lines().position(|line| marker(&line)) {
            return Err(format!(
                "has conflict markers in line {}: resolve them, or take one side and run `cargo leakcheck baseline`",
                at + 1
            ));
        }
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let head: Head =
            serde_json::from_str(text).map_err(|error| format!("cannot be read: {error}"))?;
        if head.schema > SCHEMA {
            return Err(format!(
                "has schema {}, and this cargo-leakcheck knows schemas up to {SCHEMA}: update cargo-leakcheck",
                head.schema
            ));
        }
        serde_json::from_str(text).map_err(|error| format!("cannot be read: {error}"))
    }

    /// The text of the file: sorted, one figure per line, so that people can read it and version control
    /// can merge it.
    pub(crate) fn render(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("maps with text as keys");
        text.push('\n');
        text
    }

    /// The baseline that accepts everything that a run leaks.
    pub(crate) fn of(run: &Run) -> Self {
        let judged = run.tests.iter().filter(|test| test.status.is_judged());
        let tests = judged.filter_map(|test| Some((test.id(), Known::of(run, test)?))).collect();
        Self { schema: SCHEMA, tests }
    }

    /// Replaces the entries of the tests that ran and keeps the others.
    pub(crate) fn replaced_by(mut self, new: Self) -> Self {
        self.schema = SCHEMA;
        self.tests.extend(new.tests);
        self
    }

    /// Removes what a run no longer leaks and lowers figures that are lower now. Adds nothing.
    pub(crate) fn updated_by(mut self, run: &Run) -> Self {
        let now = Self::of(run);
        let ran: Vec<String> = run.tests.iter().map(Test::id).collect();
        if !run.meta.selected {
            self.tests.retain(|id, _| ran.contains(id));
        }
        let tests: BTreeMap<String, &Test> =
            run.tests.iter().map(|test| (test.id(), test)).collect();
        for (id, known) in &mut self.tests {
            let (Some(now), Some(test)) = (now.tests.get(id), tests.get(id)) else { continue };
            known.over.retain(|figure, _| !is_within(test, *figure));
            for (figure, value) in &mut known.over {
                *value = now.over.get(figure).map_or(*value, |now| (*value).min(*now));
            }
            known.leaks.retain(|fingerprint, _| now.leaks.contains_key(fingerprint));
            for (fingerprint, leak) in &mut known.leaks {
                leak.bytes = leak.bytes.min(now.leaks[fingerprint].bytes);
            }
            if known.calls == now.calls {
                known.net_growth = known.net_growth.min(now.net_growth);
                known.peak = known.peak.min(now.peak);
                known.churn = known.churn.min(now.churn);
            }
        }
        self
    }

    /// The number of known leaks: call sites, and figures other than memory that exceed their limits.
    pub(crate) fn leaks(&self) -> usize {
        let others =
            |known: &Known| known.over.keys().filter(|figure| !is_memory(**figure)).count();
        self.tests.values().map(|test| test.leaks.len() + others(test)).sum()
    }

    /// Compares a run with the baseline: known leaks no longer fail, regressions do, and leaks that are
    /// gone are listed as fixed.
    pub(crate) fn apply(&self, run: &mut Run, tolerance: &Tolerance) {
        let mut tests = std::mem::take(&mut run.tests);
        for test in tests.iter_mut().filter(|test| test.status.is_judged()) {
            if let Some(known) = self.tests.get(&test.id()) {
                known.apply(test, tolerance);
            }
        }
        run.tests = tests;
        run.fixed = self.fixed(run);
    }

    fn fixed(&self, run: &Run) -> Vec<Fixed> {
        let now: BTreeMap<String, &Test> = run.tests.iter().map(|test| (test.id(), test)).collect();
        let mut fixed = Vec::new();
        for (id, known) in &self.tests {
            let test = now.get(id).copied();
            let is_gone = |gone: &dyn Fn(&Test) -> bool| match test {
                Some(test) => test.status.is_judged() && gone(test),
                // A test that does not exist although all tests ran leaks nothing.
                None => !run.meta.selected && run.problems.is_empty(),
            };
            for (site, leak) in &known.leaks {
                if is_gone(&|test| leak.is_gone(test, site)) {
                    let (fingerprint, at) = (site.clone(), leak.at.clone());
                    fixed.push(Fixed { test: id.clone(), fingerprint, at, figure: None });
                }
            }
            for figure in
                known.over.keys().filter(|figure| is_gone(&|test| is_within(test, **figure)))
            {
                fixed.push(Fixed { test: id.clone(), figure: Some(*figure), ..Fixed::default() });
            }
        }
        fixed
    }
}

impl Known {
    fn of(run: &Run, test: &Test) -> Option<Self> {
        let figures = test.figures()?;
        let all: u64 = test.sites().iter().map(|site| site.bytes).sum();
        let leaks = matches!(test.status, Status::Leaked | Status::Known | Status::Regressed)
            && test.check.as_ref().is_some_and(|check| !check.excesses.is_empty());
        let is_listed = |site: &&Site| {
            let is_large = site.bytes.saturating_mul(100) >= all.saturating_mul(SMALLEST_PERCENT);
            leaks && (is_large || site.per_call().is_some())
        };
        let mut by_fingerprint: BTreeMap<String, KnownLeak> = BTreeMap::new();
        for site in test.sites().iter().filter(is_listed) {
            let leak = by_fingerprint.entry(format!("{:016x}", site.fingerprint)).or_default();
            leak.bytes += site.bytes;
            leak.at =
                run.leaf(site.stack).map(|frame| frame.name().into_owned()).unwrap_or_default();
        }
        let excesses = test.check.iter().flat_map(|check| &check.excesses);
        let over = excesses.filter(|excess| excess.figure != Figure::Bytes);
        Some(Self {
            over: over.map(|excess| (excess.figure, excess.value)).collect(),
            calls: test.calls(),
            net_growth: test.growth()?,
            peak: figures.peak_bytes,
            churn: figures.churn.bytes,
            leaks: by_fingerprint,
        })
    }

    fn apply(&self, test: &mut Test, tolerance: &Tolerance) {
        let (growth, calls) = (test.growth(), test.calls());
        let Some(check) = &mut test.check else { return };
        let (Some(figures), Some(growth)) = (check.figures, growth) else { return };
        let mut known_bytes = 0;
        for site in &mut check.sites {
            if self.leaks.contains_key(&format!("{:016x}", site.fingerprint)) {
                site.known = true;
                known_bytes += site.bytes;
            }
        }
        if self.calls == calls {
            check.regressions = tolerance.regressions(
                (self.net_growth, self.peak, self.churn),
                (growth, figures.peak_bytes, figures.churn.bytes),
            );
        }
        check.regressions.extend(self.worse_excesses(&check.excesses, tolerance));
        let limit = check.limits.as_ref().and_then(|limits| limits.bytes.as_ref());
        let limit = limit.map_or(0, |limit| limit.value);
        let rest = growth.saturating_sub(i64::try_from(known_bytes).unwrap_or(i64::MAX));
        let mut per_call = check.sites.iter().filter(|site| site.per_call().is_some()).peekable();
        let known_per_call = per_call.peek().is_some() && per_call.all(|site| site.known);
        let is_known = |figure: Figure| match figure {
            Figure::BytesPerCall => known_per_call,
            Figure::Bytes => known_bytes > 0 && u64::try_from(rest).unwrap_or(0) <= limit,
            other => self.over.contains_key(&other),
        };
        if test.status == Status::Leaked && check.excesses.iter().all(|e| is_known(e.figure)) {
            test.status = Status::Known;
        }
        if test.status != Status::Leaked && !check.regressions.is_empty() {
            test.status = Status::Regressed;
        }
    }

    /// Known excesses that exceed their tolerance.
    fn worse_excesses(&self, excesses: &[Excess], tolerance: &Tolerance) -> Vec<Regression> {
        let beyond = excesses.iter().filter_map(|excess| {
            let (figure, now) = (excess.figure, excess.value);
            let before = *self.over.get(&figure)?;
            let tolerated = tolerance.tolerated_excess(figure, before);
            // The peak of every test is compared with the baseline above.
            let is_beyond = now > tolerated && figure != Figure::PeakBytes;
            let figure = Compared::Excess(figure);
            is_beyond.then_some(Regression { figure, before, now, tolerated })
        });
        beyond.collect()
    }
}

impl KnownLeak {
    /// Whether a test no longer leaks at the call site.
    fn is_gone(&self, test: &Test, site: &str) -> bool {
        let same = test.sites().iter().filter(|s| format!("{:016x}", s.fingerprint) == site);
        let bytes: u64 = same.map(|site| site.bytes).sum();
        // A test whose growth varies around its limit still leaks.
        let passes = test.check.as_ref().is_some_and(|check| check.excesses.is_empty());
        bytes == 0 || (passes && bytes < self.bytes / 2)
    }
}

/// Whether a figure of a test was judged and does not exceed its limit.
fn is_within(test: &Test, figure: Figure) -> bool {
    let Some(check) = &test.check else { return false };
    let is_unjudged = check.more.unjudged.iter().any(|unjudged| unjudged.figure == figure);
    !is_unjudged && !check.excesses.iter().any(|excess| excess.figure == figure)
}

fn is_memory(figure: Figure) -> bool {
    figure == Figure::Blocks || figure.is_bytes()
}
