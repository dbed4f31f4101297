//! The verdict on a body that was repeated.

use super::{Leak, Watch, record};
use crate::held::looks_for_lost;
use crate::measurement::Measurement;
use crate::message;
use crate::repeat::{self, Finding};
use crate::repetition::Repetition;
use crate::report::{self, Noise, Report, text};
use crate::settings::Settings;
use crate::settle;
use crate::thread::Quiet;
use crate::verdict::{self, Limits, Verdict};

impl Watch {
    /// The repetition of the body, where that was asked for.
    pub(crate) fn repetition(&self) -> Option<Repetition<'_>> {
        let settle_ms = Settings::settle_ms(&self.options);
        let Settings { stacks, suppressions, .. } = self.settings;
        self.plan.map(|plan| Repetition::new(&self.region, plan, settle_ms, *stacks, suppressions))
    }

    /// Judges a repetition that is over, by what kept pace with the calls.
    pub(crate) fn judge_repeated(&self, repetition: &Repetition<'_>) -> Result<(), Leak> {
        let _quiet = Quiet::new();
        let finding = Finding::of(repetition.repeat(), repetition.stop());
        let (measurement, verdict) = self.settle_repeated(repetition, &finding);
        let report = || self.report_of_repeated(repetition, &finding, &measurement, &verdict);
        if verdict.is_leak() || looks_for_lost(&self.limits, &measurement) {
            let report = self.held().judge_lost(report());
            if report.verdict.is_leak() {
                return Err(self.leak(report));
            }
            record(self.settings, || report);
            Ok(())
        } else {
            if finding.is_undecided() {
                let report = report();
                message::to_stderr(&text::undecided(&report));
                record(self.settings, || report);
            } else {
                record(self.settings, report);
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
        let growth = verdict::of_growth(finding, self.settings.iterations_source(&self.options));
        let limits = self.limits_of(finding);
        let judged = repeat::growth(repetition.repeat(), self.limits.measure);
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

    fn report_of_repeated(
        &self,
        repetition: &Repetition<'_>,
        finding: &Finding,
        measurement: &Measurement,
        verdict: &Verdict,
    ) -> Report {
        let noise = Noise::sift(&measurement.sites, &self.settings.suppressions);
        let (test, top) = (self.test.clone(), self.top());
        let mut report =
            Report::of_growing(test, verdict.clone(), measurement, noise, top, &finding.sites);
        report.limits = Some(self.limits_of(finding));
        report.judged = Some(repeat::growth(repetition.repeat(), self.limits.measure));
        report.call_stacks = self.settings.stacks;
        report.repetition = self.plan.as_ref().map(|plan| report::Repetition::new(plan, finding));
        report
    }
}
