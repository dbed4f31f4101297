//! Who holds what leaked, for the report of a leak.

use std::time::Duration;

use crate::holders::{self, Before};
use crate::measurement::Measurement;
use crate::message;
use crate::region::Region;
use crate::report::Report;
use crate::report::holder::Source;
use crate::settings::{Holders, Settings};
use crate::verdict::{Excess, Figure, Limits, Unjudged};

/// A region that is over and whose report may want to know.
pub(crate) struct Held<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) limits: &'a Limits,
    pub(crate) region: &'a Region,
    /// The stack as it was before the body.
    pub(crate) before: &'a Before,
    /// How long the body took.
    pub(crate) took: Duration,
    /// The name by which libtest knows the test, where its thread can no longer tell.
    pub(crate) test: Option<&'a str>,
}

/// Whether a verdict depends on what is lost. Where nothing is retained, nothing is.
pub(crate) fn looks_for_lost(limits: &Limits, measurement: &Measurement) -> bool {
    limits.lost_bytes.is_some() && measurement.retained.blocks > 0
}

impl Held<'_> {
    /// Holds what is lost against its limit, where it has one.
    pub(crate) fn judge_lost(&self, mut report: Report) -> Report {
        let Some(limit) = &self.limits.lost_bytes else { return report };
        self.tell(&mut report);
        if self.settings.holders == Holders::Off && !report.call_sites.is_empty() {
            report.holders_unknown = Some("`LEAK_HOLDERS` is `off`".to_owned());
        }
        if let Some(why) = &report.holders_unknown {
            let name = &report.test.name;
            message::to_stderr(&format!("lost memory of `{name}` is not judged: {why}"));
            let why = why.clone();
            report.unjudged.push(Unjudged { figure: Figure::LostBytes, why });
            return report;
        }
        let value = report.lost_bytes();
        if value > limit.value {
            let excess =
                Excess { figure: Figure::LostBytes, value: value as i64, limit: limit.clone() };
            report.verdict = report.verdict.with(vec![excess]);
        }
        report
    }

    /// Adds to the report of a leak who holds its blocks, as `LEAK_HOLDERS` asks for it.
    pub(crate) fn tell(&self, report: &mut Report) {
        if report.call_sites.is_empty() || report.knows_holders() {
            return;
        }
        let letterbox = holders::letterbox().filter(|_| holders::is_about(&report.test.name));
        if letterbox.is_some() || self.settings.holders == Holders::On {
            let found = holders::explain(&self.region.owners(), self.before, &report.sites());
            report.holders_by = found.is_ok().then_some(Source::Snapshot);
            report.add_holders(found);
        } else if self.settings.holders == Holders::Auto && holders::letterbox().is_none() {
            let check = &report.test.name;
            let found = holders::run_again(check, self.test, self.took, &report.call_sites);
            report.holders_by = found.is_ok().then_some(Source::SecondRun);
            report.add_holders(found);
        }
        if let Some(letterbox) = letterbox {
            holders::send(&letterbox, &report.call_sites);
        }
    }
}
