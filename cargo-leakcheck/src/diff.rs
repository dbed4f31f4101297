//! What is different between two runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::baseline::Tolerance;
use crate::model::{Regression, Run, Status, Test};
use crate::size;

/// What is different between two runs.
#[derive(Debug, Default)]
pub(crate) struct Diff {
    /// A test and the function that allocates, for leaks that one run has and the other one has not.
    pub(crate) new: Vec<(String, String, u64)>,
    pub(crate) gone: Vec<(String, String, u64)>,
    /// Tests whose figures are beyond their tolerance.
    pub(crate) worse: Vec<(String, Vec<Regression>)>,
    pub(crate) better: Vec<(String, Vec<Regression>)>,
    pub(crate) only_before: Vec<String>,
    pub(crate) only_after: Vec<String>,
}

impl Diff {
    pub(crate) fn of(before: &Run, after: &Run, tolerance: &Tolerance) -> Self {
        let mut diff = Self::default();
        let by_id = |run: &'_ Run| -> BTreeMap<String, usize> {
            run.tests.iter().enumerate().map(|(at, test)| (test.id(), at)).collect()
        };
        let (old, new) = (by_id(before), by_id(after));
        diff.only_before.extend(old.keys().filter(|id| !new.contains_key(*id)).cloned());
        diff.only_after.extend(new.keys().filter(|id| !old.contains_key(*id)).cloned());
        for (id, at) in &new {
            let now = &after.tests[*at];
            let was = old.get(id).map(|at| &before.tests[*at]);
            let leaks = leaks_of(after, now);
            let leaked = was.map(|was| leaks_of(before, was)).unwrap_or_default();
            diff.new.extend(only(id, &leaks, &leaked));
            diff.gone.extend(only(id, &leaked, &leaks));
            if let Some((was, now)) = was.and_then(figures).zip(figures(now)) {
                let worse = tolerance.regressions(was, now);
                let better = tolerance.regressions(now, was);
                if !worse.is_empty() {
                    diff.worse.push((id.clone(), worse));
                }
                if !better.is_empty() {
                    let better = better.into_iter().map(|r| Regression {
                        before: r.now,
                        now: r.before,
                        ..r
                    });
                    diff.better.push((id.clone(), better.collect()));
                }
            }
        }
        diff
    }

    /// Whether the later run is worse.
    pub(crate) fn is_worse(&self) -> bool {
        !self.new.is_empty() || !self.worse.is_empty()
    }

    pub(crate) fn render(&self) -> String {
        let mut lines = Vec::new();
        let leak = |word: &str, (test, at, bytes): &(String, String, u64)| {
            format!("{word:9} {}  {test}  {at}", size::unsigned(*bytes))
        };
        lines.extend(self.new.iter().map(|found| leak("new leak", found)));
        lines.extend(self.gone.iter().map(|found| leak("gone", found)));
        for (word, tests) in [("worse", &self.worse), ("better", &self.better)] {
            for (test, figures) in tests {
                for Regression { figure, before, now, .. } in figures {
                    let (before, now) = (size::bytes(*before), size::bytes(*now));
                    lines.push(format!("{word:9} {test}  {figure} {before} → {now}"));
                }
            }
        }
        lines.extend(self.only_before.iter().map(|test| format!("{:9} {test}", "removed")));
        lines.extend(self.only_after.iter().map(|test| format!("{:9} {test}", "added")));
        if lines.is_empty() {
            lines.push("nothing is different beyond the tolerance".to_owned());
        }
        let lines: Vec<String> = lines.iter().map(|line| crate::table::plain(line)).collect();
        lines.join("\n")
    }
}

/// Leaks by fingerprint: the function that allocates, and bytes.
type Leaks = BTreeMap<u64, (String, u64)>;

fn leaks_of(run: &Run, test: &Test) -> Leaks {
    let mut leaks = Leaks::new();
    if matches!(test.status, Status::Leaked | Status::Known) {
        for site in test.sites() {
            let at = || run.leaf(site.stack).map(|frame| frame.name()).unwrap_or_default();
            leaks.entry(site.fingerprint).or_insert_with(|| (at(), 0)).1 += site.bytes;
        }
    }
    leaks
}

fn only(id: &str, leaks: &Leaks, others: &Leaks) -> Vec<(String, String, u64)> {
    let fingerprints: BTreeSet<_> =
        leaks.keys().filter(|site| !others.contains_key(site)).collect();
    let named = fingerprints.into_iter().map(|site| &leaks[site]);
    named.map(|(at, bytes)| (id.to_owned(), at.clone(), *bytes)).collect()
}

fn figures(test: &Test) -> Option<(i64, u64, u64)> {
    let figures = test.figures()?;
    Some((test.growth()?, figures.peak_bytes, figures.churn.bytes))
}
