//! Who holds what leaked, for the report of a leak.

use std::time::{Duration, Instant};

use super::Watch;
use crate::holders::{self, Before};
use crate::measurement::Measurement;
use crate::message;
use crate::report::Report;
use crate::report::holder::Source;
use crate::settings::Holders;
use crate::verdict::{Excess, Figure, Unjudged};

impl Watch {
    /// Whether a verdict depends on what is lost. Where nothing is retained, nothing is.
    pub(super) fn looks_for_lost(&self, measurement: &Measurement) -> bool {
        self.limits.lost_bytes.is_some() && measurement.retained.blocks > 0
    }

    /// Holds what is lost against its limit, where it has one.
    pub(super) fn judge_lost(&self, mut report: Report) -> Report {
        let Some(limit) = &self.limits.lost_bytes else { return report };
        self.tell_holders(&mut report);
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
    pub(super) fn tell_holders(&self, report: &mut Report) {
        if report.call_sites.is_empty() || report.knows_holders() {
            return;
        }
        let letterbox = holders::letterbox().filter(|_| holders::is_about(&report.test.name));
        if letterbox.is_some() || self.settings.holders == Holders::On {
            self.take_a_snapshot(report);
        } else if self.settings.holders == Holders::Auto && holders::letterbox().is_none() {
            let took = self.before.get().map_or(Duration::ZERO, |(_, start)| start.elapsed());
            let found = holders::run_again(&report.test.name, took, &report.call_sites);
            report.holders_by = found.is_ok().then_some(Source::SecondRun);
            report.add_holders(found);
        }
        if let Some(letterbox) = letterbox {
            holders::send(&letterbox, &report.call_sites);
        }
    }

    fn take_a_snapshot(&self, report: &mut Report) {
        let (before, _) = self.before.get_or_init(|| (Before::default(), Instant::now()));
        let found = holders::explain(&self.region.owners(), before, &report.sites());
        report.holders_by = found.is_ok().then_some(Source::Snapshot);
        report.add_holders(found);
    }
}
