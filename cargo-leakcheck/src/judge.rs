//! Joins reports and outcomes, and applies the rules of the manifest to single tests.

use std::collections::HashMap;

use leakcheck_report::{Excess, Figure, Kind, Limit, LimitSource, Skip as Skipped};

use crate::evidence::Ran;
use crate::exit::Exit;
use crate::model::{Run, Status, Test};
use crate::settings::{SettingSource, Settings, Skip};
use leakcheck_report::run::Outcome;

/// Adds the outcomes of the tests to their reports.
pub(crate) fn join(run: &mut Run, ran: &[Ran]) {
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for (place, test) in run.tests.iter().enumerate() {
        places.insert((test.target.clone(), test.name.clone()), place);
    }
    for ran in ran {
        match places.get(&(ran.target.clone(), ran.name.clone())) {
            Some(place) => {
                let test = &mut run.tests[*place];
                test.seconds = ran.seconds.or(test.seconds);
                if ran.outcome == Some(Outcome::Failed) && test.status != Status::Blind {
                    test.status = Status::Failed;
                }
            }
            None => {
                places.insert((ran.target.clone(), ran.name.clone()), run.tests.len());
                run.tests.push(Test {
                    target: ran.target.clone(),
                    name: ran.name.clone(),
                    status: without_report(ran.outcome),
                    why: ran.why.clone(),
                    seconds: ran.seconds,
                    ..Test::default()
                });
            }
        }
    }
    for test in &mut run.tests {
        // `rust_out` is the program that rustdoc makes of examples in the documentation.
        if let Some(package) = test.target.strip_suffix("/rust_out") {
            test.target = format!("{package}/doc");
        }
    }
    run.tests.sort_by(|a, b| (&a.target, &a.name).cmp(&(&b.target, &b.name)));
}

/// The status of a test without a report.
fn without_report(outcome: Option<Outcome>) -> Status {
    match outcome {
        Some(Outcome::Passed) => Status::Unchecked,
        Some(Outcome::Failed) => Status::Failed,
        Some(Outcome::Ignored) => Status::Ignored,
        None => Status::CutOff,
    }
}

/// Applies limits and skips by test name, and adds the reasons for suppressions from the manifest.
pub(crate) fn apply(run: &mut Run, settings: &Settings) {
    for test in &mut run.tests {
        let id = test.id();
        if let Some(skip) = settings.skip.iter().find(|skip| covers(skip, test)) {
            let was_checked =
                matches!(test.status, Status::Leaked | Status::Passed | Status::Skipped);
            if was_checked && !matches!(test.skip, Some(Skipped::Argument { .. })) {
                (test.status, test.why) = (Status::Skipped, Some(skip.why.clone()));
            }
            continue;
        }
        let rule = settings.limit_of(&id, &test.name);
        if let (Some(rule), Some(check)) = (rule, &mut test.check)
            && let (Some(limits), Some(judged)) = (&mut check.limits, check.judged)
            // If the body was repeated, growth decides, and there may be no limit.
            && let Some(bytes) = &mut limits.bytes
            && is_of_kind(&bytes.source)
        {
            *bytes = Limit::new(rule.bytes, rule.source.limit());
            check.excesses.retain(|excess| excess.figure != Figure::Bytes);
            if u64::try_from(judged.bytes).is_ok_and(|bytes| bytes > rule.bytes) {
                let limit = bytes.clone();
                check.excesses.insert(0, Excess::new(Figure::Bytes, judged.bytes, limit));
            }
            match test.status {
                Status::Leaked if check.excesses.is_empty() => test.status = Status::Passed,
                Status::Passed if !check.excesses.is_empty() => test.status = Status::Leaked,
                _ => {}
            }
        }
        for suppressed in test.check.iter_mut().flat_map(|check| &mut check.suppressed) {
            let known = settings.suppressions.iter().find(|known| known.leak == suppressed.rule);
            if let Some(known) = known {
                suppressed.why = Some(known.why.clone());
            }
        }
    }
}

/// Restores the sources of limits, which reach the tests as variables.
pub(crate) fn name_sources(run: &mut Run, settings: &Settings) {
    let mut sources: Vec<(&str, &SettingSource)> = Vec::new();
    sources.extend(settings.threshold_mb.iter().map(|set| ("LEAK_THRESHOLD_MB", &set.source)));
    sources.extend(settings.iterations.iter().map(|set| ("LEAK_ITERATIONS", &set.source)));
    let kinds = Kind::ALL.iter().zip(&settings.kinds);
    sources.extend(kinds.map(|(kind, set)| (kind.variable(), &set.source)));
    for check in run.tests.iter_mut().filter_map(|test| test.check.as_mut()) {
        let limit = check.limits.iter_mut().filter_map(|limits| limits.bytes.as_mut());
        let excesses = check.excesses.iter_mut().map(|excess| &mut excess.limit);
        for limit in limit.chain(excesses) {
            let set = sources.iter().find(|(variable, _)| limit.source.is_variable(variable));
            if let Some((_, source)) = set {
                limit.source = source.limit();
            }
        }
    }
}

/// Whether a limit applies to all tests of a kind.
fn is_of_kind(source: &LimitSource) -> bool {
    let of_kind = |kind: &Kind| source.is_variable(kind.variable());
    matches!(source, LimitSource::Default { .. }) || Kind::ALL.iter().any(of_kind)
}

fn covers(skip: &Skip, test: &Test) -> bool {
    skip.tests.matches(&test.name) || skip.tests.matches(&test.id())
}

/// The exit code of a run.
pub(crate) fn exit(run: &Run, failed_otherwise: bool) -> Exit {
    let has = |status: Status| run.count(&[status]) > 0;
    let is_checked = |test: &Test| {
        test.check.is_some() && !matches!(test.status, Status::Skipped | Status::NotJudged)
    };
    let checked = run.tests.iter().any(is_checked);
    let mut exits = Vec::new();
    let mut when = |is: bool, exit: Exit| exits.extend(is.then_some(exit));
    when(has(Status::Blind), Exit::Blind);
    when(!run.problems.is_empty() || has(Status::CutOff), Exit::Incomplete);
    let leaks = run.tests.iter().any(|test| test.status.is_leak());
    when(leaks && !run.meta.warn_only, Exit::Leaks);
    when(has(Status::Failed) || failed_otherwise, Exit::TestsFailed);
    // A shard of a small suite may be empty. Merging the shards shows whether anything is checked.
    when(!checked && run.meta.shard.is_none(), Exit::NothingChecked);
    when(!run.fixed.is_empty() && !run.meta.warn_only, Exit::StaleBaseline);
    Exit::most_important(&exits)
}
