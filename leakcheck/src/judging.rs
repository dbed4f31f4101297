//! The judging pipeline of every check: settle, sift known noise, judge, explain, write, print.
//!
//! A single check, a repeated one and a test of `check_all!` differ in the region that they watched
//! and in what fails for a leak, and in nothing between.

use std::time::Duration;

use leakcheck_growth::{Finding, Iterations, Plan};
use leakcheck_holders::{SavedRegisters, StackSnapshot};

use crate::draft::Draft;
use crate::explain::{Explanation, judges_lost_memory};
use crate::measurement::{Growth, Measurement};
use crate::message;
use crate::noise::{Noise, Sieve};
use crate::options::Metric;
use crate::region::Region;
use crate::report::{self, GrowingResource, Report, Test, text};
use crate::settings::Settings;
use crate::settle::Waiting;
use crate::verdict::{self, Excess, Figure, Limits, SuppressedTotal, Unjudged, Verdict};

/// A check whose body has run.
pub(crate) struct Judging<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) test: &'a Test,
    pub(crate) region: &'a Region,
    pub(crate) limits: Limits,
    /// Whether the region is the whole thread that libtest started for the test.
    pub(crate) of_thread: bool,
    /// For how many milliseconds to wait while the check would fail.
    pub(crate) settle_ms: u64,
    /// How many call sites the report lists.
    pub(crate) top: u64,
    /// The command that distinguishes a leak from a warm-up.
    pub(crate) decide: Option<String>,
    /// What the repetition of the body showed; none where it ran once.
    pub(crate) repeated: Option<Repeated<'a>>,
    /// The stack as it was before the body.
    pub(crate) stack_before: &'a StackSnapshot,
    /// The registers when judging began.
    pub(crate) registers: SavedRegisters,
    /// How long the body took.
    pub(crate) took: Duration,
    /// The name by which libtest knows the test, where its thread has ended.
    pub(crate) libtest_name: Option<&'a str>,
}

/// What the repetition of a body showed.
pub(crate) struct Repeated<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) finding: &'a Finding,
    /// The growth that limits of bytes and blocks are compared with.
    pub(crate) growth: Growth,
    /// What grows in proportion to the calls.
    pub(crate) excesses: Vec<Excess>,
    /// Why the C heap was not known after every batch, if it was not.
    pub(crate) c_heap_unknown: Option<&'a str>,
}

/// One reading and its verdict.
struct Reading {
    measurement: Measurement,
    /// `None` where no names were looked up.
    noise: Option<Noise>,
    judged: Growth,
    verdict: Verdict,
}

impl Judging<'_> {
    /// Judges the check, and explains a leak. `None` where it passed and no report was asked for.
    pub(crate) fn judge(&self) -> Option<Report> {
        let mut sieve = self.sieve();
        let reading = self.settle(&mut sieve);
        let explains =
            reading.verdict.is_leak() || judges_lost_memory(&self.limits, &reading.measurement);
        let is_judged = verdict::unjudged(&reading.measurement, &self.limits).is_empty()
            && self.repeated.as_ref().is_none_or(|it| it.c_heap_unknown.is_none());
        let undecided = self.repeated.as_ref().is_some_and(|it| it.finding.is_undecided());
        if is_judged && !(explains || undecided || self.settings.record) {
            return None;
        }
        let mut draft = self.draft(reading, &mut sieve);
        if explains {
            let explanation = self.explanation();
            draft = explanation.judge_lost_memory(draft);
            if draft.report.verdict.is_leak() {
                explanation.add_holders(&mut draft);
            }
        } else if undecided {
            message::to_stderr(&text::undecided(&draft.report));
        }
        let mut report = draft.report;
        report.verdict = report.verdict.with_unjudged(&report.unjudged, &self.limits);
        if !report.verdict.fails() {
            self.print_unjudged(&report.unjudged);
        }
        Some(report)
    }

    /// Reads the region, and as long as that may turn a failure into a pass, again and again until
    /// the time for settling is over.
    fn settle(&self, sieve: &mut Sieve<'_>) -> Reading {
        if self.limits.c_heap_bytes.is_some() {
            self.region.await_threads(&mut Waiting::for_threads(true));
        }
        let mut waiting = Waiting::new(self.settle_ms);
        loop {
            let reading = self.read(sieve);
            if !self.can_settle(&reading) || !waiting.goes_on() {
                return reading;
            }
        }
    }

    /// Growth over a repetition does not settle any more: each of its batches has waited.
    fn can_settle(&self, reading: &Reading) -> bool {
        let grows = self.repeated.as_ref().is_some_and(|it| !it.excesses.is_empty());
        let has_unjudged = || !verdict::unjudged(&reading.measurement, &self.limits).is_empty();
        !grows && (reading.verdict.can_settle() || has_unjudged())
    }

    fn sieve(&self) -> Sieve<'_> {
        let rules = &self.settings.suppressions;
        if self.of_thread {
            return Sieve::of_thread(rules);
        }
        Sieve::new(rules)
    }

    fn read(&self, sieve: &mut Sieve<'_>) -> Reading {
        let measurement = self.region.measure();
        match &self.repeated {
            Some(repeated) => {
                let judged = repeated.growth;
                let figures = verdict::judge(judged, &measurement, &self.limits);
                let verdict = figures.with(repeated.excesses.clone());
                Reading { measurement, noise: None, judged, verdict }
            }
            None => self.read_once(measurement, sieve),
        }
    }

    /// Looks up names only where they make a difference: when there is a leak without known noise,
    /// when there would be one but for released memory, which may be noise, where lost memory is
    /// judged, and for a record.
    fn read_once(&self, measurement: Measurement, sieve: &mut Sieve<'_>) -> Reading {
        let judge = |metric, suppressed| {
            let judged = verdict::judged(&measurement, metric, suppressed);
            (judged, verdict::judge(judged, &measurement, &self.limits))
        };
        let (judged, worst) = judge(Metric::Retained, SuppressedTotal::default());
        let needs_names = worst.is_leak()
            || judges_lost_memory(&self.limits, &measurement)
            || self.settings.record;
        if !needs_names {
            return Reading { measurement, noise: None, judged, verdict: worst };
        }
        let noise = sieve.sift(&measurement.sites);
        let (judged, verdict) = judge(self.limits.measure, noise.total());
        Reading { measurement, noise: Some(noise), judged, verdict }
    }

    fn draft(&self, reading: Reading, sieve: &mut Sieve<'_>) -> Draft {
        let Reading { measurement, noise, judged, verdict } = reading;
        let noise = noise.unwrap_or_else(|| sieve.sift(&measurement.sites));
        let test = self.test.clone();
        let mut draft = match &self.repeated {
            Some(Repeated { finding, .. }) => {
                Draft::of_growing(test, verdict, &measurement, noise, self.top, &finding.sites)
            }
            None => Draft::new(test, verdict, &measurement, noise, self.top),
        };
        let report = &mut draft.report;
        report.limits = Some(self.limits.clone());
        report.judged = Some(judged);
        report.call_stacks = self.settings.stacks;
        report.decide.clone_from(&self.decide);
        report.repetition = self.repeated.as_ref().map(Repeated::report);
        let c_heap_unknown = self.repeated.as_ref().and_then(|it| it.c_heap_unknown);
        if let Some(why) = c_heap_unknown
            && report.unjudged.iter().all(|unjudged| unjudged.figure != Figure::CHeapBytes)
        {
            report.unjudged.push(Unjudged::new(Figure::CHeapBytes, why));
        }
        draft
    }

    /// Prints which figures have a default limit and could not be compared with it.
    fn print_unjudged(&self, unjudged: &[Unjudged]) {
        for Unjudged { figure, why, .. } in unjudged {
            if self.limits.of(*figure).is_some() {
                let (name, figure) = (&self.test.name, figure.name());
                message::to_stderr(&format!("{figure} of `{name}` cannot be judged: {why}"));
            }
        }
    }

    fn explanation(&self) -> Explanation<'_> {
        Explanation {
            settings: self.settings,
            limits: &self.limits,
            region: self.region,
            stack_before: self.stack_before,
            registers: &self.registers,
            took: self.took,
            libtest_name: self.libtest_name,
        }
    }
}

impl Repeated<'_> {
    fn report(&self) -> report::Repetition {
        let Self { plan, finding, .. } = self;
        let batches = finding.batches.clone();
        let mut repetition = report::Repetition::new(finding.warmup, batches, finding.stop);
        repetition.iterations = match plan.iterations {
            Iterations::Exactly(calls) => Some(calls),
            _ => None,
        };
        repetition.sensitivity = finding.sensitivity;
        repetition.bytes_per_call = finding.leaked_per_call();
        let resources = finding.resources.iter().map(|(resource, it)| {
            GrowingResource::new(*resource, it.class, it.by_batch.clone(), it.per_call)
        });
        repetition.resources = resources.collect();
        repetition
    }
}
