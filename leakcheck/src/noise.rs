//! Known noise among the call sites of a measurement.

use crate::measurement::{Amount, SiteCount};
use crate::names;
use crate::report::Suppressed;
use crate::suppress::Suppression;
use crate::verdict::SuppressedTotal;
#[cfg(interposed)]
use leakcheck_symbols::trim::is_around_test;
use leakcheck_symbols::trim::without_harness;

/// A measurement's call sites, separated into known noise and the rest.
#[derive(Debug, Default)]
pub(crate) struct Noise {
    pub(crate) suppressed: Vec<Suppressed>,
    pub(crate) rest: Vec<SiteCount>,
}

impl Noise {
    /// Nothing is noise, without looking up names.
    pub(crate) fn none(sites: &[SiteCount]) -> Self {
        Self { suppressed: Vec::new(), rest: sites.to_vec() }
    }

    /// Separates call sites by their names, which takes time to look up. Of a call site that is known
    /// noise, only exact amounts are suppressed: an estimate decides nothing.
    pub(crate) fn sift(sites: &[SiteCount], rules: &[Suppression]) -> Self {
        let mut noise = Self::default();
        names::look_up(sites.iter().map(|site| site.site));
        for site in sites {
            let frames = without_harness(names::frames(site.site));
            match rules.iter().find(|rule| rule.covers(&frames)) {
                Some(rule) => noise.suppress(rule, *site),
                None => noise.rest.push(*site),
            }
        }
        noise
    }

    /// The same for a measurement of the whole thread that libtest started for a test: memory that is
    /// allocated or freed there before and after the test is suppressed too.
    #[cfg(interposed)]
    pub(crate) fn sift_of_thread(sites: &[SiteCount], rules: &[Suppression]) -> Self {
        let around = Suppression::around_tests();
        let (outside, inside): (Vec<SiteCount>, Vec<SiteCount>) =
            sites.iter().partition(|site| is_around_test(&names::frames(site.site)));
        let mut noise = Self::sift(&inside, rules);
        let outside = outside.into_iter().filter(|site| site.retained != site.released);
        outside.for_each(|site| noise.suppress(&around, site));
        noise
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
