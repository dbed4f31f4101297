//! The differences between two runs.

use std::collections::{BTreeMap, BTreeSet};

use leakcheck_report::Figure;
use leakcheck_report::Frame;
use leakcheck_report::format::size;

use crate::baseline::Tolerance;
use crate::model::{Compared, Regression, Run, Status, Test};

/// The differences between two runs.
#[derive(Debug, Default)]
pub(crate) struct Diff {
    /// Leaks that only one of the runs has: test, allocating function, bytes.
    pub(crate) new: Vec<(String, String, u64)>,
    pub(crate) gone: Vec<(String, String, u64)>,
    /// Tests whose figures exceed their tolerance.
    pub(crate) worse: Vec<(String, Vec<Regression>)>,
    pub(crate) better: Vec<(String, Vec<Regression>)>,
    pub(crate) only_before: Vec<String>,
    pub(crate) only_after: Vec<String>,
    /// Tests that were judged only in the earlier run, for example because they failed in the later one.
    pub(crate) unjudged: Vec<(String, Status)>,
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
            if !now.status.is_judged() {
                if was.is_some_and(|was| was.status.is_judged()) {
                    diff.unjudged.push((id.clone(), now.status));
                }
                continue;
            }
            let leaks = leaks_of(after, now);
            let leaked = was.map(|was| leaks_of(before, was)).unwrap_or_default();
            diff.new.extend(only(id, &leaks, &leaked));
            diff.gone.extend(only(id, &leaked, &leaks));
            let worse = regressions(was, now, tolerance);
            if !worse.is_empty() {
                diff.worse.push((id.clone(), worse));
            }
            let better = was.map(|was| regressions(Some(now), was, tolerance)).unwrap_or_default();
            if !better.is_empty() {
                let back = |r: Regression| Regression { before: r.now, now: r.before, ..r };
                diff.better.push((id.clone(), better.into_iter().map(back).collect()));
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
            format!("{word:9} {}  {test}  {at}", size(*bytes))
        };
        lines.extend(self.new.iter().map(|found| leak("new leak", found)));
        lines.extend(self.gone.iter().map(|found| leak("gone", found)));
        for (word, tests) in [("worse", &self.worse), ("better", &self.better)] {
            for (test, figures) in tests {
                for figure in figures {
                    let ([before, now, _], name) = (figure.shown(), figure.figure.words());
                    lines.push(format!("{word:9} {test}  {name} {before} → {now}"));
                }
            }
        }
        let unjudged = |(test, status): &(String, Status)| {
            format!("{:9} {test}  now {}", "unknown", status.word())
        };
        lines.extend(self.unjudged.iter().map(unjudged));
        lines.extend(self.only_before.iter().map(|test| format!("{:9} {test}", "removed")));
        lines.extend(self.only_after.iter().map(|test| format!("{:9} {test}", "added")));
        if lines.is_empty() {
            lines.push("no differences beyond the tolerance".to_owned());
        }
        let lines: Vec<String> = lines.iter().map(|line| crate::table::plain(line)).collect();
        lines.join("\n")
    }
}

/// Leaks by fingerprint: the allocating function and its bytes.
type Leaks = BTreeMap<u64, (String, u64)>;

fn leaks_of(run: &Run, test: &Test) -> Leaks {
    let mut leaks = Leaks::new();
    if test.status.is_judged() && test.is_over() {
        for site in test.sites() {
            let at = || run.leaf(site.stack).map(Frame::name).unwrap_or_default().into_owned();
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

/// The figures of a test that exceed those of another run, if there was one, by more than their
/// tolerance.
fn regressions(was: Option<&Test>, now: &Test, tolerance: &Tolerance) -> Vec<Regression> {
    let mut found = Vec::new();
    if let Some((before, after)) = was.and_then(figures).zip(figures(now))
        && was.is_some_and(|was| was.calls() == now.calls())
    {
        found = tolerance.regressions(before, after);
    }
    let over = |test: &Test, figure: Figure| {
        let mut excesses = test.check.iter().flat_map(|check| &check.excesses);
        excesses.find(|excess| excess.figure == figure).map(|excess| excess.value)
    };
    for excess in now.check.iter().flat_map(|check| &check.excesses) {
        // Bytes are compared by call site, and peaks above.
        if matches!(excess.figure, Figure::Bytes | Figure::PeakBytes) {
            continue;
        }
        let before = was.and_then(|was| over(was, excess.figure));
        let tolerated =
            before.map_or(0, |before| tolerance.tolerated_excess(excess.figure, before));
        if before.is_none() || excess.value > tolerated {
            let (figure, before) = (Compared::Excess(excess.figure), before.unwrap_or(0));
            found.push(Regression { figure, before, now: excess.value, tolerated });
        }
    }
    found
}

fn figures(test: &Test) -> Option<(i64, u64, u64)> {
    let figures = test.figures()?;
    Some((test.growth()?, figures.peak_bytes, figures.churn.bytes))
}

#[cfg(test)]
mod tests {
    use leakcheck_report::{Excess, Limit};

    use super::*;
    use crate::formats::tests::a_run;

    /// The run with one test, changed.
    fn with(change: impl Fn(&mut Test)) -> Run {
        let mut run = a_run();
        run.tests.retain(|test| test.status == Status::Passed);
        change(&mut run.tests[0]);
        run
    }

    fn over(figure: Figure, value: i64) -> impl Fn(&mut Test) {
        move |test| {
            let limit = Limit::by_argument("fds", 0);
            test.status = Status::Leaked;
            test.check.as_mut().unwrap().excesses = vec![Excess::new(figure, value, limit)];
        }
    }

    fn diff(before: &Run, after: &Run) -> (String, bool) {
        let diff = Diff::of(before, after, &Tolerance::default());
        (diff.render(), diff.is_worse())
    }

    #[test]
    fn resources_other_than_memory_are_compared() {
        let (none, two, three) =
            (with(|_| {}), with(over(Figure::Fds, 2)), with(over(Figure::Fds, 3)));
        let (said, worse) = diff(&none, &two);
        assert!(
            worse && said.contains("worse     app::tests::t10  open file descriptors 0 → 2"),
            "{said}"
        );
        let (said, worse) = diff(&two, &three);
        assert!(worse && said.contains("open file descriptors 2 → 3"), "{said}");
        let (said, worse) = diff(&three, &two);
        assert!(
            !worse && said.contains("better    app::tests::t10  open file descriptors 3 → 2"),
            "{said}"
        );
        assert_eq!(diff(&two, &two), ("no differences beyond the tolerance".to_owned(), false));
        let mut empty = none;
        empty.tests.clear();
        let (said, worse) = diff(&empty, &two);
        assert!(
            worse && said.contains("open file descriptors 0 → 2"),
            "a test that is new: {said}"
        );
    }

    #[test]
    fn a_leak_is_not_gone_because_its_test_failed_or_got_worse() {
        let leaks = with(over(Figure::Bytes, 3 << 20));
        let failed = with(|test| test.status = Status::Failed);
        let (said, _) = diff(&leaks, &failed);
        assert_eq!(said, "unknown   app::tests::t10  now failed");
        let regressed = with(|test| {
            over(Figure::Bytes, 3 << 20)(test);
            test.status = Status::Regressed;
        });
        assert!(!diff(&leaks, &regressed).0.contains("gone"));
        let (said, worse) = diff(&leaks, &with(|_| {}));
        assert!(!worse && said.contains("gone"), "{said}");
    }
}
