//! The verdict on a test that was checked as one of all.

use super::{Unseen, at_exit};
use crate::draft::{self, Draft};
use crate::explain::{Explanation, looks_for_lost};
use crate::measurement::Measurement;
use crate::message;
use crate::noise::Noise;
use crate::options::{Metric, Options, Scope};
use crate::origin::Origin;
use crate::region::Region;
use crate::report::{Report, text};
use crate::report_dir;
use crate::settings::{self, Mode, Settings};
use crate::settle;
use crate::verdict::{self, Limits, Verdict};
use crate::watch::layout;
use leakcheck_holders::Before;

/// Judges what a test has left behind, and says so.
pub(super) fn pass(region: &Region, origin: Origin, panicked: bool) {
    // Without settings no region was opened.
    let Ok(settings) = settings::of_process() else { return };
    let options = Options::for_test(origin);
    let name = options.origin.display_name();
    let test = draft::test(&options, &name, region.scope());
    if let Some(reason) = settings.skips(&options, &name) {
        return record(settings, &Report::new(test, Verdict::Skipped { reason }));
    }
    let limits = settings.limits(&options);
    let (measurement, noise, verdict) = settle(region, settings, &options, &limits);
    if !verdict.is_leak() && !looks_for_lost(&limits, &measurement) && !settings.record {
        return;
    }
    let excused = noise.excused();
    let mut draft = Draft::new(test, verdict, &measurement, noise, settings.top(&options));
    let report = &mut draft.report;
    report.judged = Some(verdict::judged(&measurement, Metric::Net, excused));
    report.limits = Some(limits.clone());
    report.call_stacks = settings.stacks;
    let explanation = Explanation {
        settings,
        limits: &limits,
        region,
        before: &Before::default(),
        took: measurement.elapsed,
        test: Some(&name),
    };
    if draft.report.verdict.is_leak() {
        explanation.tell(&mut draft);
    }
    if looks_for_lost(&limits, &measurement) {
        draft = explanation.judge_lost(draft);
    }
    let report = draft.report;
    let is_leak = report.verdict.is_leak();
    match (is_leak, panicked) {
        (false, _) => record(settings, &report),
        (true, false) => tell(settings, &report),
        // Whether the panic was the test's failure is known when the program ends.
        (true, true) => at_exit::hold_back(report),
    }
}

/// Says that a test could not be checked, which fails the program.
pub(super) fn cannot_see(origin: Origin, Unseen { reason, problem }: Unseen) {
    at_exit::cannot_see(problem);
    let Ok(settings) = settings::of_process() else { return };
    let options = Options::for_test(origin);
    let name = options.origin.display_name();
    let test = draft::test(&options, &name, Scope::Test);
    record(settings, &Report::new(test, Verdict::NotJudged { reason }));
}

/// Measures, and while that would be a leak, again and again until the time for settling is over.
fn settle(
    region: &Region,
    settings: &Settings,
    options: &Options,
    limits: &Limits,
) -> (Measurement, Noise, Verdict) {
    let mut waiting = settle::Waiting::new(Settings::settle_ms(options));
    loop {
        let measurement = region.measure();
        // Names are looked up only where they make a difference.
        let unsifted = Noise::none(&measurement.sites);
        let worst = verdict::judged(&measurement, Metric::Retained, unsifted.excused());
        let worst = verdict::judge(worst, &measurement, limits);
        if !worst.is_leak() && !looks_for_lost(limits, &measurement) && !settings.record {
            return (measurement, unsifted, worst);
        }
        let noise = Noise::sift_of_thread(&measurement.sites, &settings.suppressions);
        let judged = verdict::judged(&measurement, Metric::Net, noise.excused());
        let verdict = verdict::judge(judged, &measurement, limits);
        if !verdict.can_settle() || !waiting.goes_on() {
            return (measurement, noise, verdict);
        }
    }
}

/// Tells of a leak, as loudly as it was asked for.
pub(super) fn tell(settings: &Settings, report: &Report) {
    let written = report_dir::write(report, settings.report_dir.as_deref());
    let name = &report.test.name;
    if let Err(why) = &written {
        let problem = format!("the report of `{name}` is not written: {why}");
        message::to_stderr(&problem);
        if settings.mode == Mode::Record {
            // Nobody else would hear of the leak.
            at_exit::cannot_see(problem);
        }
    }
    let shown = written.as_deref().map_err(String::as_str);
    let top = settings.top(&Options::new());
    if settings.mode != Mode::Record {
        message::to_stderr_as_is(&text::render(report, layout(top, shown)));
    }
    if settings.mode == Mode::On {
        at_exit::leaked(name);
    }
}

/// Writes the report of a test that did not leak, where `LEAK_RECORD` asks for it.
pub(super) fn record(settings: &Settings, report: &Report) {
    if !settings.record {
        return;
    }
    if let Err(why) = report_dir::write(report, settings.report_dir.as_deref()) {
        message::to_stderr(&format!("the record of `{}` is not written: {why}", report.test.name));
    }
}
