//! Known noise among the call sites of a measurement.

mod addresses;

use addresses::Addresses;
use leakcheck_ledger::SiteId;
use leakcheck_ledger::call_site::{self, Site};

use crate::measurement::{Amount, SiteCount};
use crate::names;
use crate::report::Suppressed;
use crate::suppress::Suppression;
use crate::suppress::facts::{AddressFacts, StackFacts};
use crate::verdict::SuppressedTotal;

/// A measurement's call sites, separated into known noise and the rest.
#[derive(Debug, Default)]
pub(crate) struct Noise {
    pub(crate) suppressed: Vec<Suppressed>,
    pub(crate) rest: Vec<SiteCount>,
}

/// Separates call sites by the names of their frames. It keeps its decision about each call site, so
/// that later readings of a region look up only new ones.
#[derive(Debug)]
pub(crate) struct Sieve<'a> {
    rules: &'a [Suppression],
    /// The rule for memory that is allocated or freed before and after the test, in a measurement
    /// of the whole thread that libtest started for it.
    around: Option<Suppression>,
    /// The decisions, by the ids of call sites.
    decisions: Vec<Decision>,
}

/// Whether a call site is known noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Decision {
    /// It was not decided yet.
    #[default]
    Open,
    Counts,
    /// It happens around the test.
    Around,
    /// The rule with this index covers it.
    Covered(u32),
}

impl Noise {
    /// Nothing is noise, without looking up names.
    pub(crate) fn none(sites: &[SiteCount]) -> Self {
        Self { suppressed: Vec::new(), rest: sites.to_vec() }
    }

    /// What was suppressed in total.
    pub(crate) fn total(&self) -> SuppressedTotal {
        SuppressedTotal {
            retained: self.suppressed.iter().map(|suppressed| suppressed.amount).sum(),
            released: self.suppressed.iter().map(|suppressed| suppressed.released).sum(),
        }
    }

    fn suppress(&mut self, rule: &Suppression, site: SiteCount) {
        let none = Amount::default();
        let uncertain = site.uncertain();
        if uncertain != none {
            self.rest.push(SiteCount {
                retained: uncertain,
                certain: none,
                released: none,
                ..site
            });
        }
        if (site.certain, site.released) == (none, none) {
            return;
        }
        let known = self.suppressed.iter().position(|suppressed| suppressed.rule == rule.rule());
        let index = known.unwrap_or_else(|| {
            self.suppressed.push(Suppressed::new(rule.rule(), rule.why()));
            self.suppressed.len() - 1
        });
        self.suppressed[index].amount += site.certain;
        self.suppressed[index].released += site.released;
    }
}

impl<'a> Sieve<'a> {
    pub(crate) fn new(rules: &'a [Suppression]) -> Self {
        Self { rules, around: None, decisions: Vec::new() }
    }

    /// A sieve for measurements of the whole thread that libtest started for a test.
    pub(crate) fn of_thread(rules: &'a [Suppression]) -> Self {
        Self { around: Some(Suppression::around_tests()), ..Self::new(rules) }
    }

    /// Separates call sites. This takes time for call sites that were not decided yet, because their
    /// names are looked up. Of a call site that is known noise, only exact amounts are suppressed:
    /// an estimate decides nothing.
    pub(crate) fn sift(&mut self, sites: &[SiteCount]) -> Noise {
        self.decide(sites);
        let mut noise = Noise::default();
        for site in sites {
            match (self.decision(site.site), &self.around) {
                (Decision::Covered(rule), _) => noise.suppress(&self.rules[rule as usize], *site),
                (Decision::Around, Some(rule)) if site.retained != site.released => {
                    noise.suppress(rule, *site);
                }
                (Decision::Around, _) => {}
                (Decision::Counts | Decision::Open, _) => noise.rest.push(*site),
            }
        }
        noise
    }

    fn decision(&self, site: SiteId) -> Decision {
        self.decisions.get(site as usize).copied().unwrap_or_default()
    }

    fn decide(&mut self, sites: &[SiteCount]) {
        let is_open = |count: &&SiteCount| self.decision(count.site) == Decision::Open;
        let mut new: Vec<SiteId> = sites.iter().filter(is_open).map(|count| count.site).collect();
        let Some(last) = new.iter().max() else { return };
        if self.decisions.len() <= *last as usize {
            self.decisions.resize(*last as usize + 1, Decision::Open);
        }
        let unloaded = names::in_unloaded_code();
        new.retain(|site| {
            let has_own_names = unloaded.contains(site);
            if has_own_names {
                let facts = AddressFacts::of(&names::frames(*site), self.rules);
                self.decisions[*site as usize] = self.decision_on(&[facts], [0].into_iter());
            }
            !has_own_names
        });
        self.decide_loaded(&new);
    }

    /// Decides on call sites whose code is loaded. Names are looked up and rules evaluated once for
    /// each distinct return address.
    fn decide_loaded(&mut self, sites: &[SiteId]) {
        let mut addresses = Addresses::new();
        let stacks: Vec<Vec<u32>> = sites
            .iter()
            .map(|site| {
                let frames = call_site::get(*site).map_or(&[][..], Site::oldest_first);
                let mut numbers = vec![0; frames.len()];
                for (number, address) in numbers.iter_mut().zip(frames) {
                    *number = addresses.number(*address);
                }
                numbers
            })
            .collect();
        let frames = names::frames_at(addresses.distinct());
        let facts: Vec<AddressFacts> =
            frames.iter().map(|frames| AddressFacts::of(frames, self.rules)).collect();
        for (site, numbers) in sites.iter().zip(stacks) {
            let newest_first = numbers.iter().rev().copied();
            self.decisions[*site as usize] = self.decision_on(&facts, newest_first);
        }
    }

    /// Decides on a stack, given the indices of its addresses, newest first.
    fn decision_on(
        &self,
        facts: &[AddressFacts],
        newest_first: impl Iterator<Item = u32>,
    ) -> Decision {
        let mut stack = StackFacts::new();
        for index in newest_first {
            let address = &facts[index as usize];
            stack.add(address);
            if self.around.is_some() {
                stack.add_surroundings(address);
            }
        }
        if self.around.is_some() && stack.is_around_test() {
            return Decision::Around;
        }
        stack.rule().map_or(Decision::Counts, |rule| Decision::Covered(rule as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suppress::{self, EVALUATIONS};

    fn site(n: usize) -> SiteCount {
        // Addresses in the first page have no code and therefore no names.
        let frames: Vec<usize> = (0..17).map(|bit| 16 + bit * 2 + (n >> bit & 1)).collect();
        let site = call_site::intern_addresses(&frames, 0);
        let amount = Amount { bytes: 8, blocks: 1 };
        SiteCount { site, retained: amount, certain: amount, released: Amount::default() }
    }

    fn evaluations(then: impl FnOnce()) -> usize {
        let before = EVALUATIONS.get();
        then();
        EVALUATIONS.get() - before
    }

    #[test]
    fn a_rule_is_evaluated_once_for_each_distinct_frame_and_never_for_a_second_reading() {
        let rules: Vec<Suppression> = suppress::built_in().collect();
        let sites: Vec<SiteCount> = (0..20_000).map(site).collect();
        let mut sieve = Sieve::new(&rules);
        let first = evaluations(|| assert_eq!(sieve.sift(&sites).rest.len(), sites.len()));
        assert!((1..=34 * rules.len()).contains(&first), "{first}");
        assert_eq!(evaluations(|| _ = sieve.sift(&sites)), 0);
        let more: Vec<SiteCount> = (20_000..20_001).map(site).collect();
        let second = evaluations(|| assert_eq!(sieve.sift(&more).rest, more));
        assert!((1..=17 * rules.len()).contains(&second), "{second}");
    }
}
