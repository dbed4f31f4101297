//! One check under way: from the opened region to the verdict and its report.

mod repeated;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Once, OnceLock};
use std::time::Instant;

use crate::draft::{self, Draft};
use crate::error::Error;
use crate::explain::{Explanation, looks_for_lost};
use crate::gate::{Access, Pass};
use crate::measurement::Measurement;
use crate::message;
use crate::noise::Noise;
use crate::options::{Metric, Options, Scope};
use crate::region::{self, Region};
use crate::report::text::{self, Layout};
use crate::report::{Report, Test};
use crate::report_dir;
use crate::resources;
use crate::settings::{self, Mode, Settings};
use crate::settle;
use crate::verdict::{self, BodyEnd, Limits, NotJudged, Verdict};
use leakcheck_growth::Plan;
use leakcheck_holders::{self as holders, Before};
use leakcheck_ledger::thread::{self, Untracked, entered};
use leakcheck_symbols::workspace;

/// Whether a body is watched.
pub(crate) enum Watching {
    Yes(Box<Watch>),
    /// It just runs. A skipped body still does not run beside a region of process scope.
    No(Option<Pass>),
}

/// One check under way.
pub(crate) struct Watch {
    pub(crate) region: Region,
    settings: &'static Settings,
    options: Options,
    test: Test,
    limits: Limits,
    /// How the body is repeated, if it is.
    plan: Option<Plan>,
    can_repeat: bool,
    /// The stack as it was before the body, and when that was, for [`holders`].
    before: OnceLock<(Before, Instant)>,
}

/// A leak that was found and reported.
pub(crate) struct Leak {
    text: String,
    mode: Mode,
}

impl Watch {
    #[track_caller]
    pub(crate) fn start(options: Options) -> Watching {
        match Self::try_start(options) {
            Ok(watching) => watching,
            Err(problem) => fail_with(format!("leakcheck: {problem}")),
        }
    }

    /// For a body that can be called again.
    #[track_caller]
    pub(crate) fn start_repeatable(options: Options) -> Watching {
        match Self::try_start_repeatable(options) {
            Ok(watching) => watching,
            Err(problem) => fail_with(format!("leakcheck: {problem}")),
        }
    }

    pub(crate) fn try_start(options: Options) -> Result<Watching, String> {
        if options.iterations.is_some() || options.warmup.is_some() {
            return Err(Error::not_repeatable().to_string());
        }
        Self::begin(options, false)
    }

    pub(crate) fn try_start_repeatable(options: Options) -> Result<Watching, String> {
        Self::begin(options, true)
    }

    fn begin(options: Options, can_repeat: bool) -> Result<Watching, String> {
        #[cfg(interposed)]
        crate::suite::step_aside(&options.origin);
        let _untracked = Untracked::new();
        let settings = settings::of_process().map_err(ToString::to_string)?;
        warn_of_unknown(settings);
        if settings.mode == Mode::Off {
            return Ok(Watching::No(None));
        }
        let name = options.origin.display_name();
        let nested = thread::with(entered) != 0;
        // A process of its own has one check that watches all of it.
        let scope = match options.scope {
            None if nested => Scope::Test,
            _ => settings.scope(&options),
        };
        let test = draft::test(&options, &name, scope);
        if let Some(reason) = settings.skips(&options, &name) {
            record(settings, || Report::new(test, Verdict::Skipped { reason }));
            return Ok(Watching::No((!nested).then(|| Pass::wait(Access::Shared))));
        }
        let region = match Region::open(scope, settings.timeline) {
            Ok(region) => region,
            Err(error) if error.is_pass_through() => {
                warn_once(&format!("nothing is judged: {error}"));
                let verdict = Verdict::NotJudged { reason: error.reason() };
                record(settings, || Report::new(test, verdict));
                return Ok(Watching::No(None));
            }
            Err(error) => {
                let verdict = Verdict::NotJudged { reason: error.reason() };
                record(settings, || Report::new(test, verdict));
                return Err(error.to_string());
            }
        };
        if options.threads.is_some() && !cfg!(interposed) {
            return Err(Error::threads_unseen().to_string());
        }
        resources::can_see(&options).map_err(|error| error.to_string())?;
        if settings.limits(&options).lost_bytes.is_some() && !holders::CAN_EXPLAIN {
            return Err(Error::left_unseen("lost_bytes", "Linux with glibc").to_string());
        }
        region::capture(settings.stacks);
        if settings.repeats(&options) && !can_repeat {
            message::to_stderr(&format!(
                "`{}` is called once, whatever `LEAK_ITERATIONS` says: its body may use up what it takes",
                test.name
            ));
        }
        let plan = settings.plan(&options).filter(|_| can_repeat);
        let limits = match &plan {
            Some(plan) => settings.limits_of_repeated(&options, plan),
            None => settings.limits(&options),
        };
        let watch = Self {
            region,
            settings,
            options,
            test,
            limits,
            plan,
            can_repeat,
            before: OnceLock::new(),
        };
        Ok(Watching::Yes(Box::new(watch)))
    }

    /// Runs the body inside the region; the error is what it panicked with.
    pub(crate) fn run<T>(&self, body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
        // Before the body's frames lie where others were, and before others lie where they were.
        holders::clear_dead();
        _ = self.before.get_or_init(|| (Before::now(), Instant::now()));
        let outcome = catch_unwind(AssertUnwindSafe(|| self.region.run(body)));
        holders::clear_dead();
        outcome
    }

    /// As [`not_judged`](Self::not_judged), in one of the calls of a repeated body, which is told where
    /// the failing test tells the rest.
    pub(crate) fn not_judged_in_call(&self, end: BodyEnd, call: u64) {
        let _untracked = Untracked::new();
        if call == 1 {
            return self.not_judged(end);
        }
        let reason = NotJudged::Body { end, iteration: Some(call) };
        eprintln!("leakcheck: {reason}");
        if self.settings.repeats(&self.options) {
            eprintln!("  if it cannot be called again, say so: #[leak_check(iterations = 1)]");
        }
        self.record_not_judged(reason);
    }

    pub(crate) fn not_judged(&self, end: BodyEnd) {
        let _untracked = Untracked::new();
        self.record_not_judged(NotJudged::Body { end, iteration: None });
    }

    fn record_not_judged(&self, reason: NotJudged) {
        record(self.settings, || {
            let measurement = self.region.measure();
            let noise = Noise::none(&measurement.sites);
            let verdict = Verdict::NotJudged { reason };
            Draft::new(self.test.clone(), verdict, &measurement, noise, self.top()).report
        });
    }

    pub(crate) fn judge(&self) -> Result<(), Leak> {
        let _untracked = Untracked::new();
        let (measurement, noise, verdict) = self.settle();
        let excused = noise.excused();
        let draft = || {
            let mut draft =
                Draft::new(self.test.clone(), verdict.clone(), &measurement, noise, self.top());
            let report = &mut draft.report;
            report.limits = Some(self.limits.clone());
            report.judged = Some(verdict::judged(&measurement, self.limits.measure, excused));
            report.call_stacks = self.settings.stacks;
            report.decide = self.decide();
            draft
        };
        if verdict.is_leak() || looks_for_lost(&self.limits, &measurement) {
            let draft = self.explanation().judge_lost(draft());
            if draft.report.verdict.is_leak() {
                return Err(self.leak(draft));
            }
            record(self.settings, || draft.report);
            Ok(())
        } else {
            for unjudged in verdict::unjudged(&measurement, &self.limits) {
                let (name, figure) = (&self.test.name, unjudged.figure.name());
                message::to_stderr(&format!("{figure} of `{name}`: {}", unjudged.why));
            }
            record(self.settings, || draft().report);
            Ok(())
        }
    }

    /// Measures, and while that would fail, again and again until the time for settling is over.
    fn settle(&self) -> (Measurement, Noise, Verdict) {
        let mut waiting = settle::Waiting::new(Settings::settle_ms(&self.options));
        loop {
            let measurement = self.region.measure();
            let (noise, verdict) = self.judge_once(&measurement);
            let can_settle =
                verdict.can_settle() || !verdict::unjudged(&measurement, &self.limits).is_empty();
            if !can_settle || !waiting.goes_on() {
                return (measurement, noise, verdict);
            }
        }
    }

    /// Looks for known noise only where it makes a difference: when there is a leak without it,
    /// when there would be one but for what was released, which may be noise, where what is lost is
    /// judged, and for a record.
    fn judge_once(&self, measurement: &Measurement) -> (Noise, Verdict) {
        let judge = |measure, noise: &Noise| {
            let judged = verdict::judged(measurement, measure, noise.excused());
            verdict::judge(judged, measurement, &self.limits)
        };
        let noise = Noise::none(&measurement.sites);
        let worst = judge(Metric::Retained, &noise);
        if !worst.is_leak() && !looks_for_lost(&self.limits, measurement) && !self.settings.record {
            return (noise, worst);
        }
        let noise = Noise::sift(&measurement.sites, &self.settings.suppressions);
        let verdict = judge(self.limits.measure, &noise);
        (noise, verdict)
    }

    fn leak(&self, mut draft: Draft) -> Leak {
        self.explanation().tell(&mut draft);
        let report = &draft.report;
        let written = report_dir::write(report, self.settings.report_dir.as_deref());
        if let Err(why) = &written {
            message::to_stderr(&unwritten(report, why));
        }
        let (text, mode) = match (&written, self.settings.mode) {
            // Nobody else would hear of the leak.
            (Err(why), Mode::Record) => (unwritten(report, why), Mode::On),
            (_, mode) => {
                let written = written.as_deref().map_err(String::as_str);
                (text::render(report, layout(self.top(), written)), mode)
            }
        };
        Leak { text, mode }
    }

    fn explanation(&self) -> Explanation<'_> {
        let (before, start) = self.before.get_or_init(|| (Before::default(), Instant::now()));
        Explanation {
            settings: self.settings,
            limits: &self.limits,
            region: &self.region,
            before,
            took: start.elapsed(),
            test: None,
        }
    }

    /// The command that would tell a leak from a warm-up.
    fn decide(&self) -> Option<String> {
        self.can_repeat.then(|| self.test.decide()).flatten()
    }

    fn top(&self) -> u64 {
        self.settings.top(&self.options)
    }
}

impl Leak {
    /// Fails the test, or just tells where that was asked for.
    #[track_caller]
    pub(crate) fn fail(self) {
        match self.mode {
            Mode::On => fail_with(self.text),
            Mode::Record => {}
            Mode::Warn | Mode::Off => message::to_stderr_as_is(&self.text),
        }
    }

    /// Whether the test is to fail for it.
    pub(crate) fn must_fail(&self) -> bool {
        self.mode == Mode::On
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// The words of the panic are leakcheck's own and count for no check around this one.
#[track_caller]
pub(crate) fn fail_with(text: String) -> ! {
    let _untracked = Untracked::new();
    panic!("{text}")
}

/// How a report reads in the user's workspace.
pub(crate) fn layout(top: u64, written: text::Written<'_>) -> Layout<'_> {
    Layout { top, workspace: workspace(), written }
}

fn unwritten(report: &Report, why: &str) -> String {
    format!("the report of `{}` is not written: {why}", report.test.name)
}

/// Writes the report of a test that does not fail, where `LEAK_RECORD` asks for it.
fn record(settings: &Settings, report: impl FnOnce() -> Report) {
    if !settings.record {
        return;
    }
    let mut report = report();
    report.call_stacks = settings.stacks;
    if let Err(why) = report_dir::write(&report, settings.report_dir.as_deref()) {
        message::to_stderr(&format!("the record of `{}` is not written: {why}", report.test.name));
    }
}

fn warn_of_unknown(settings: &Settings) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for name in &settings.unknown {
            let known = settings::VARIABLES.join("`, `");
            message::to_stderr(&format!(
                "`{name}` is not a variable of leakcheck and does nothing; known are `{known}`"
            ));
        }
    });
}

fn warn_once(text: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| message::to_stderr(text));
}
