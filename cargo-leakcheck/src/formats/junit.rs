//! JUnit's XML: one suite per target, one case per test. A leak is a failure of the type `leak`.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use leakcheck_report::format::counted;

use super::rendered::Rendered;
use crate::model::{Run, Status, Test};

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for test in &run.tests {
        let suite =
            suites.entry(&test.target).or_insert_with(|| TestSuite::new(test.target.clone()));
        suite.add_test_case(case(run, test));
    }
    if !run.problems.is_empty() {
        let suite = suites.entry("leakcheck").or_insert_with(|| TestSuite::new("leakcheck"));
        for problem in &run.problems {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("incomplete").set_message(problem.clone());
            suite.add_test_case(TestCase::new(problem.clone(), status));
        }
    }
    let mut report = Report::new("leakcheck");
    report.set_time(duration(run.meta.seconds));
    report.add_test_suites(suites.into_values());
    out.write_all(without_skipped(&report.to_string()?).as_bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Omits the number of skipped tests in the root element, because Jenkins' xUnit plugin rejects it.
/// Each suite has its own number.
fn without_skipped(xml: &str) -> String {
    let tag = xml.find("<testsuites").unwrap_or(0);
    let end = xml[tag..].find('>').map_or(xml.len(), |end| tag + end);
    let Some(from) = xml[tag..end].find(" skipped=\"").map(|from| tag + from) else {
        return xml.to_owned();
    };
    let value = from + " skipped=\"".len();
    let to = xml[value..end].find('"').map_or(end, |to| value + to + 1);
    [&xml[..from], &xml[to..]].concat()
}

fn case(run: &Run, test: &Test) -> TestCase {
    let failure = |kind, of: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(of.to_owned()).set_message(super::headline(test));
        status.set_description(sites(run, test));
        status
    };
    let fails = !run.meta.warn_only;
    let status = match test.status {
        Status::Leaked if fails => failure(NonSuccessKind::Failure, "leak"),
        Status::Regressed if fails => failure(NonSuccessKind::Failure, "regression"),
        Status::Failed => failure(NonSuccessKind::Failure, "failure"),
        Status::Blind => failure(NonSuccessKind::Error, "blind"),
        Status::CutOff => failure(NonSuccessKind::Error, "cut off"),
        Status::Skipped | Status::Ignored => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(test.why.clone().unwrap_or_else(|| test.status.word().to_owned()));
            status
        }
        _ => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(test.name.clone(), status);
    case.set_classname(test.target.clone());
    if let Some(seconds) = test.seconds {
        case.set_time(duration(seconds));
    }
    if let (Some(growth), Some(figures)) = (test.growth(), test.figures()) {
        case.set_system_out(format!(
            "net growth {growth} B, peak {} B, churn {} B in {}",
            figures.peak_bytes,
            figures.churn.bytes,
            counted(figures.churn.blocks, "block")
        ));
    }
    case
}

/// The largest call sites, one per line.
fn sites(run: &Run, test: &Test) -> String {
    let mut lines = vec![super::headline(test)];
    for site in test.sites().iter().take(super::MOST_OF_A_TEST) {
        let (name, place) = run.allocated_at(site.stack);
        let blocks = counted(site.blocks, "block");
        lines.push(format!("{} B in {blocks}: {name} {place}", site.bytes));
    }
    lines.join("\n")
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
