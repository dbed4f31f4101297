//! The verdict on a body that was repeated.

use leakcheck_growth::Finding;
use leakcheck_ledger::thread::Untracked;

use super::Watch;
use crate::judging::Repeated;
use crate::publish::Leak;
use crate::repeater::Repeater;
use crate::settings::Settings;
use crate::settle::Waiting;
use crate::verdict::{self, Limits};

impl Watch {
    /// Repeats the body, where that was asked for.
    pub(crate) fn repeater(&self) -> Option<Repeater<'_>> {
        let settle_ms = Settings::settle_ms(&self.options);
        let Settings { stacks, suppressions, .. } = self.settings;
        let for_threads = Waiting::for_threads(self.limits.c_heap_bytes.is_some());
        let new =
            |plan| Repeater::new(&self.region, plan, settle_ms, for_threads, *stacks, suppressions);
        self.plan.map(new)
    }

    /// Judges a repetition that is over, by what grew in proportion to the calls.
    pub(crate) fn judge_repeated(&self, repeater: &Repeater<'_>) -> Result<(), Leak> {
        let _untracked = Untracked::new();
        let Some(plan) = &self.plan else { return self.judge() };
        let finding = Finding::of(repeater.repeat(), repeater.stop());
        let source = self.settings.iterations_source(&self.options);
        let repeated = Repeated {
            plan,
            finding: &finding,
            growth: repeater.repeat().growth(self.limits.measure),
            excesses: verdict::of_growth(&finding, &source),
            c_heap_unknown: repeater.c_heap_unknown(),
        };
        self.finish(self.judging(self.limits_of(&finding), Some(repeated)).judge())
    }

    /// Where the calls were too few for growth to decide, limits do, as in a single run.
    fn limits_of(&self, finding: &Finding) -> Limits {
        if finding.is_undecided() {
            self.settings.limits(&self.options)
        } else {
            self.limits.clone()
        }
    }
}
