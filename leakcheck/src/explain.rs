//! What keeps leaked blocks alive, for the report of a leak.

use std::time::Duration;

use leakcheck_holders::{Query, SavedRegisters, StackSnapshot};

use crate::draft::Draft;
use crate::measurement::Measurement;
use crate::region::Region;
use crate::report::FoundBy;
use crate::rerun;
#[cfg(target_os = "linux")]
use crate::resources::start_own_child as start_child;
use crate::settings::{Holders, Settings};
use crate::verdict::{Excess, Figure, Limits, Unjudged};

/// A region whose body has run.
pub(crate) struct Explanation<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) limits: &'a Limits,
    pub(crate) region: &'a Region,
    /// The stack before the body ran.
    pub(crate) stack_before: &'a StackSnapshot,
    /// The registers when judging began.
    pub(crate) registers: &'a SavedRegisters,
    /// How long the body took.
    pub(crate) took: Duration,
    /// The name by which libtest knows the test, where its thread has ended.
    pub(crate) libtest_name: Option<&'a str>,
}

/// Whether a verdict depends on lost memory. Where nothing is retained, nothing is lost.
pub(crate) fn judges_lost_memory(limits: &Limits, measurement: &Measurement) -> bool {
    limits.lost_bytes.is_some() && measurement.retained.blocks > 0
}

impl Explanation<'_> {
    /// Compares lost memory with its limit, if it has one.
    pub(crate) fn judge_lost_memory(&self, mut draft: Draft) -> Draft {
        let Some(limit) = &self.limits.lost_bytes else { return draft };
        self.add_holders(&mut draft);
        let report = &mut draft.report;
        if self.settings.holders == Holders::Off && !report.call_sites.is_empty() {
            report.holders_unknown = Some("`LEAK_HOLDERS` is `off`".to_owned());
        }
        if let Some(why) = &report.holders_unknown {
            report.unjudged.push(Unjudged::new(Figure::LostBytes, why));
            return draft;
        }
        let value = report.lost_bytes();
        if value > limit.value {
            let excess = Excess::new(Figure::LostBytes, value as i64, limit.clone());
            report.verdict = report.verdict.clone().with(vec![excess]);
        } else if report.siteless.blocks > 0 || report.omitted.call_sites > 0 {
            let why = "some blocks have no call site in the report, so they were not searched for; \
                       set `LEAK_STACKS=full`";
            report.unjudged.push(Unjudged::new(Figure::LostBytes, why));
        }
        draft
    }

    /// Adds the holders of leaked blocks to a report, by the method that `LEAK_HOLDERS` selects.
    pub(crate) fn add_holders(&self, draft: &mut Draft) {
        if draft.report.call_sites.is_empty() || draft.report.knows_holders() {
            return;
        }
        let check = draft.report.test.name.clone();
        match (self.settings.holders, rerun::role()) {
            (Holders::Off, _) => {}
            (Holders::Rerun, None) => {
                let call_sites = &draft.report.call_sites;
                let found = rerun::rerun(&check, self.libtest_name, self.took, call_sites);
                draft.report.holders_by = found.is_ok().then_some(FoundBy::Rerun);
                draft.add_holders(found);
            }
            (_, role) => {
                self.add_holders_from_snapshot(draft);
                if let Some(role) = role.filter(|role| role.is_about(&check)) {
                    role.send(&draft.report.call_sites);
                }
            }
        }
    }

    fn add_holders_from_snapshot(&self, draft: &mut Draft) {
        let query = Query {
            owners: &self.region.owners(),
            stack_before: self.stack_before,
            registers: self.registers,
            sites: &draft.sites,
            start_child,
        };
        let found = leakcheck_holders::explain(&query);
        draft.report.holders_by = found.is_ok().then_some(FoundBy::Snapshot);
        let placed = |(site, holder)| Some((draft.place_of(site)?, holder));
        let found = found.map(|found| found.into_iter().filter_map(placed).collect());
        draft.add_holders(found);
    }
}

/// Starts a child. No hook records it on this system.
#[cfg(not(target_os = "linux"))]
fn start_child(start: &mut dyn FnMut() -> i32) -> i32 {
    start()
}
