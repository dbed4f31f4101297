//! The verdict on a test that `check_all!` checks.

use leakcheck_holders::{SavedRegisters, StackSnapshot};

use super::{Unseen, at_exit};
use crate::draft;
use crate::judging::Judging;
use crate::message;
use crate::options::{Options, Scope};
use crate::origin::Origin;
use crate::publish;
use crate::region::Region;
use crate::report::Report;
use crate::settings::{self, Mode, Settings};
use crate::verdict::{BodyEnd, NotJudged, Verdict};

/// Judges what a test has left behind, and publishes its report.
pub(super) fn judge(region: &Region, origin: Origin, panicked: bool) {
    // Without settings no region was opened.
    let Ok(settings) = settings::of_process() else { return };
    let options = Options::for_test(origin);
    let name = options.origin.display_name();
    let test = draft::test(&options, &name, region.scope());
    if let Some(reason) = settings.skips(&options, &name) {
        return publish::record(settings, || Report::new(test, Verdict::Skipped { reason }));
    }
    let judging = Judging {
        settings,
        test: &test,
        region,
        limits: settings.limits(&options),
        of_thread: true,
        settle_ms: Settings::settle_ms(&options),
        top: settings.top(&options),
        decide: None,
        repeated: None,
        stack_before: &StackSnapshot::of_ended_thread(),
        registers: SavedRegisters::now(),
        took: region.elapsed(),
        libtest_name: Some(&name),
    };
    match judging.judge() {
        Some(report) if !report.verdict.fails() => publish::record(settings, || report),
        Some(report) if panicked => at_exit::hold_back(report),
        Some(report) => publish_leak(settings, &report),
        None => {}
    }
}

/// Records that a test could not be checked, which fails the program.
pub(super) fn cannot_see(origin: Origin, Unseen { reason, problem }: Unseen) {
    at_exit::cannot_see(problem);
    let Ok(settings) = settings::of_process() else { return };
    let options = Options::for_test(origin);
    let name = options.origin.display_name();
    let test = draft::test(&options, &name, Scope::Test);
    publish::record(settings, || Report::new(test, Verdict::NotJudged { reason }));
}

/// Judges the tests that left memory behind and panicked, perhaps because they were meant to. Where
/// no test has failed, such a panic was expected. Where one has, it may be this one, which then has
/// failed as itself.
pub(super) fn judge_held_back() {
    let Ok(settings) = settings::of_process() else { return };
    for mut report in at_exit::take_held_back() {
        if at_exit::no_test_has_failed() {
            publish_leak(settings, &report);
        } else {
            let reason = NotJudged::Body { end: BodyEnd::Panicked, iteration: None };
            report.verdict = Verdict::NotJudged { reason };
            (report.limits, report.judged) = (None, None);
            publish::record(settings, || report);
        }
    }
}

/// Publishes the report of a leak, or of a limit that cannot be judged, as the mode asks for it.
fn publish_leak(settings: &Settings, report: &Report) {
    let leak = publish::leak(settings, report, settings.top(&Options::new()));
    if leak.mode != Mode::Record {
        message::to_stderr_as_is(&leak.text);
    }
    match leak.mode {
        Mode::On if report.verdict.is_leak() => at_exit::leaked(&report.test.name),
        Mode::On => at_exit::not_judged(),
        Mode::Warn | Mode::Record | Mode::Off => {}
    }
}
