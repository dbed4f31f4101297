//! The verdict on a body that was repeated.

use super::{Leak, Watch, record};
use crate::draft::Draft;
use crate::explain::looks_for_lost;
use crate::measurement::Measurement;
use crate::message;
use crate::noise::Noise;
use crate::repetition::Repetition;
use crate::report::{self, GrowingResource, text};
use crate::settings::Settings;
use crate::settle;
use crate::verdict::{self, Limits, Verdict};
use leakcheck_growth::{Finding, Iterations, Plan};
use leakcheck_ledger::thread::Untracked;

impl Watch {
    /// The repetition of the body, where that was asked for.
    pub(crate) fn repetition(&self) -> Option<Repetition<'_>> {
        let settle_ms = Settings::settle_ms(&self.options);
        let Settings { stacks, suppressions, .. } = self.settings;
        self.plan.map(|plan| Repetition::new(&self.region, plan, settle_ms, *stacks, suppressions))
    }

    /// Judges a repetition that is over, by what kept pace with the calls.
    pub(crate) fn judge_repeated(&self, repetition: &Repetition<'_>) -> Result<(), Leak> {
        let _untracked = Untracked::new();
        let finding = Finding::of(repetition.repeat(), repetition.stop());
        let (measurement, verdict) = self.settle_repeated(repetition, &finding);
        let draft = || self.draft_of_repeated(repetition, &finding, &measurement, &verdict);
        if verdict.is_leak() || looks_for_lost(&self.limits, &measurement) {
            let draft = self.explanation().judge_lost(draft());
            if draft.report.verdict.is_leak() {
                return Err(self.leak(draft));
            }
            record(self.settings, || draft.report);
            Ok(())
        } else {
            if finding.is_undecided() {
                let report = draft().report;
                message::to_stderr(&text::undecided(&report));
                record(self.settings, || report);
            } else {
                record(self.settings, || draft().report);
            }
            Ok(())
        }
    }

    /// Where the calls were too few for growth to decide, limits do, as in a single run.
    fn limits_of(&self, finding: &Finding) -> Limits {
        if finding.is_undecided() {
            self.settings.limits(&self.options)
        } else {
            self.limits.clone()
        }
    }

    /// Growth is what it is: the repetition has waited. What is over a limit by itself may settle.
    fn settle_repeated(
        &self,
        repetition: &Repetition<'_>,
        finding: &Finding,
    ) -> (Measurement, Verdict) {
        let growth = verdict::of_growth(finding, &self.settings.iterations_source(&self.options));
        let limits = self.limits_of(finding);
        let judged = repetition.repeat().growth(self.limits.measure);
        let mut waiting = settle::Waiting::new(Settings::settle_ms(&self.options));
        loop {
            let measurement = self.region.measure();
            let figures = verdict::judge(judged, &measurement, &limits);
            let can_settle = figures.can_settle() && growth.is_empty();
            if !can_settle || !waiting.goes_on() {
                return (measurement, figures.with(growth));
            }
        }
    }

    fn draft_of_repeated(
        &self,
        repetition: &Repetition<'_>,
        finding: &Finding,
        measurement: &Measurement,
        verdict: &Verdict,
    ) -> Draft {
        let noise = Noise::sift(&measurement.sites, &self.settings.suppressions);
        let (test, top) = (self.test.clone(), self.top());
        let mut draft =
            Draft::of_growing(test, verdict.clone(), measurement, noise, top, &finding.sites);
        let report = &mut draft.report;
        report.limits = Some(self.limits_of(finding));
        report.judged = Some(repetition.repeat().growth(self.limits.measure));
        report.call_stacks = self.settings.stacks;
        report.repetition = self.plan.as_ref().map(|plan| of_finding(plan, finding));
        draft
    }
}

fn of_finding(plan: &Plan, finding: &Finding) -> report::Repetition {
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
