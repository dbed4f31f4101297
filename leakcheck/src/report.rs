//! The data model of a report. It knows nothing of allocators; text and JSON are made from it.

mod advice;
pub(crate) mod file;
mod growth;
pub(crate) mod holder;
mod json;
mod left;
pub(crate) mod text;
mod timeline;
#[cfg_attr(not(holders), allow(dead_code, reason = "ways are told where holders are"))]
pub(crate) mod words;

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use stats_alloc::Stats;

use crate::ledger::split::SiteCount;
use crate::measurement::{Allowed, Amount, Growth, Measurement};
use crate::options::{Kind, Options, Scope};
use crate::repeat;
use crate::settings;
#[cfg(interposed)]
use crate::stack::frame::is_around_test;
use crate::stack::frame::{trim, without_harness};
use crate::stack::site::{self, Site, SiteId};
use crate::stack::symbols;
use crate::suppress::Suppression;
use crate::verdict::{Excused, Limits, Unjudged, Verdict};

pub(crate) use growth::command;
pub use growth::{
    Growing, GrowthClass, LeftGrowing, Repetition, Sensitivity, Severity, Stopped, Thing,
};

pub use holder::{Holder, Holding, Root, Source, Step};

pub use crate::stack::Stacks;
pub use crate::stack::frame::{Class, Frame};
pub use left::{Child, ChildState, Fd};
pub use timeline::Timeline;

/// The version of the report's schema. It changes when a reader of the last version would misread a
/// report.
pub const SCHEMA: u32 = 1;

/// The most call sites in a JSON report, unless `top` asks for more.
const MOST_CALL_SITES: usize = 100;

/// What became of one check. The schema is described in `docs/report-schema.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of leakcheck that wrote the report.
    pub leakcheck: String,
    /// Which check.
    pub test: Test,
    /// What was judged.
    pub verdict: Verdict,
    /// What the figures were held against; none where nothing was judged.
    pub limits: Option<Limits>,
    /// What was held against the limits of bytes and blocks: without what was allowed and
    /// suppressed.
    pub judged: Option<Growth>,
    /// The figures; none where nothing was measured.
    pub figures: Option<Figures>,
    /// How the body was repeated and what that showed; none where it ran once.
    #[serde(default)]
    pub repetition: Option<Repetition>,
    /// The command that repeats the body to tell a leak from a warm-up; where it ran once and can be
    /// repeated.
    #[serde(default)]
    pub decide: Option<String>,
    /// The call sites that retain memory, those that leak call after call first, then the largest.
    pub call_sites: Vec<CallSite>,
    /// Why nobody was asked who holds the blocks, where that was to be told.
    #[serde(default)]
    pub holders_unknown: Option<String>,
    /// Where it is known from who holds the blocks; none where it is not.
    #[serde(default)]
    pub holders_by: Option<Source>,
    /// What the call sites that are not listed retain together.
    pub omitted: Omitted,
    /// What is retained at call sites that are not known.
    pub siteless: Amount,
    /// Memory that is meant to stay.
    pub allowed: Vec<Allowed>,
    /// Known noise.
    pub suppressed: Vec<Suppressed>,
    /// Threads that were started inside and that still run.
    pub threads: Vec<Thread>,
    /// File descriptors that were opened inside and are still open, up to a hundred.
    #[serde(default)]
    pub fds: Vec<Fd>,
    /// Child processes that were started inside and that nobody has waited for, up to a hundred.
    #[serde(default)]
    pub children: Vec<Child>,
    /// Figures that are not known well enough to be judged.
    #[serde(default)]
    pub unjudged: Vec<Unjudged>,
    /// Of which blocks the call stack was captured, as `LEAK_STACKS` says: where only of some, the
    /// figures of call sites are estimates. All other figures are exact, whatever it says.
    pub call_stacks: Stacks,
    /// How much the names of the call sites tell.
    pub symbols: Symbols,
    /// Live bytes over time, where they were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// Why they were not, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline_unknown: Option<String>,
}

/// Which check a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Test {
    /// As libtest names it: modules and function.
    pub name: String,
    /// The package, as cargo names it.
    pub package: Option<String>,
    /// The program, for tests inside one.
    pub binary: Option<String>,
    /// The crate that the test was compiled in.
    #[serde(rename = "crate")]
    pub krate: Option<String>,
    /// Whether it was compiled as an integration test.
    pub integration: bool,
    /// The type of the test.
    pub kind: Kind,
    /// Which threads were watched.
    pub scope: Scope,
    /// The source file with the check, as the compiler was given it.
    pub file: Option<String>,
    /// The line of the check in that file.
    pub line: Option<u32>,
}

/// The figures of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// Retained minus released.
    pub net_growth: Growth,
    /// Blocks that the region owns and that were live at its end.
    pub retained: Amount,
    /// Blocks that the region did not own and that its threads freed.
    pub released: Amount,
    /// The most bytes that were live at once.
    pub peak_bytes: u64,
    /// What was allocated in total.
    pub churn: Amount,
    /// Growth in the same stretch that no open region owns.
    pub unattributed: Growth,
    /// File descriptors that were opened inside and are still open; none where that cannot be told.
    #[serde(default)]
    pub fds: Option<i64>,
    /// Child processes that were started inside and that nobody has waited for; none where that
    /// cannot be told.
    #[serde(default)]
    pub children: Option<i64>,
    /// Bytes by which the C heap of the process has grown at least; none where that cannot be told.
    #[serde(default)]
    pub c_heap_bytes: Option<i64>,
    /// The allocator's events.
    pub events: Events,
    /// For how long the body ran, in microseconds: until the region was first measured.
    #[serde(default)]
    pub elapsed_us: u64,
}

/// Events of the allocator, as `stats_alloc` counts them: over the process in process scope, else
/// those of the region. Bytes allocated minus bytes deallocated is the net growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Events {
    /// Blocks that came.
    pub allocations: u64,
    /// Blocks that went.
    pub deallocations: u64,
    /// Blocks that changed their size.
    pub reallocations: u64,
    /// Bytes that came, by growing blocks too.
    pub bytes_allocated: u64,
    /// Bytes that went, by shrinking blocks too.
    pub bytes_deallocated: u64,
    /// By how much reallocations made blocks larger in all; part of the two above.
    pub bytes_reallocated: i64,
}

impl From<Stats> for Events {
    fn from(stats: Stats) -> Self {
        Self {
            allocations: stats.allocations as u64,
            deallocations: stats.deallocations as u64,
            reallocations: stats.reallocations as u64,
            bytes_allocated: stats.bytes_allocated as u64,
            bytes_deallocated: stats.bytes_deallocated as u64,
            bytes_reallocated: stats.bytes_reallocated as i64,
        }
    }
}

/// A distinct call stack that retains memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallSite {
    /// Bytes that it retains.
    pub bytes: u64,
    /// Blocks that it retains.
    pub blocks: u64,
    /// The call stack, the allocation first and the test's body last.
    pub frames: Vec<Frame>,
    /// How many frames of a deep recursion were left out between the newest and the oldest. One
    /// call site stands for all depths from there on; this is what the first of them had.
    pub omitted_frames: u64,
    /// How it grew over the batches of a repeated body, if it did.
    #[serde(default)]
    pub growth: Option<Growing>,
    /// Who holds the blocks, the most bytes first; empty where nobody looked.
    #[serde(default)]
    pub holders: Vec<Holder>,
    #[serde(skip)]
    pub(crate) site: SiteId,
}

/// What is left out of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Omitted {
    /// How many entries.
    pub call_sites: usize,
    /// What they come to.
    #[serde(flatten)]
    pub amount: Amount,
}

/// Known noise that was left out of the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Suppressed {
    /// The rule as it was written.
    pub rule: String,
    /// What it is for, or the variable that it came by.
    pub why: String,
    /// What it left out of the memory that is retained.
    #[serde(flatten)]
    pub amount: Amount,
    /// What it left out of the memory that was released.
    pub released: Amount,
}

/// A thread that was started inside and that still runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Thread {
    /// Its name as the kernel knows it.
    pub name: String,
    /// The call stack that started it.
    pub started_at: Vec<Frame>,
}

/// How much the names of call sites tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Symbols {
    /// Functions, files and lines.
    #[default]
    Lines,
    /// Functions alone: the program has no debug information.
    Functions,
    /// Addresses alone: the program was stripped.
    Addresses,
}

impl Test {
    pub(crate) fn new(options: &Options, name: &str, scope: Scope) -> Self {
        let origin = &options.origin;
        Self {
            name: name.to_owned(),
            package: origin.package.map(str::to_owned),
            binary: origin.binary.map(str::to_owned),
            krate: origin.krate().map(str::to_owned),
            integration: origin.integration,
            kind: settings::kind_of(options),
            scope,
            file: origin.file.map(str::to_owned),
            line: origin.line,
        }
    }

    /// The frame of the test's body, as the debug information would name it.
    fn body(&self) -> Frame {
        let function = match &self.krate {
            Some(krate) => format!("{krate}::{}", self.name),
            None => self.name.clone(),
        };
        Frame {
            function: Some(function),
            file: self.file.clone(),
            line: self.line,
            class: Class::User,
            ..Frame::default()
        }
    }
}

impl Report {
    /// A report without figures.
    pub(crate) fn without_figures(test: Test, verdict: Verdict) -> Self {
        Self {
            schema: SCHEMA,
            leakcheck: env!("CARGO_PKG_VERSION").to_owned(),
            test,
            verdict,
            limits: None,
            judged: None,
            figures: None,
            repetition: None,
            decide: None,
            call_sites: Vec::new(),
            holders_unknown: None,
            holders_by: None,
            omitted: Omitted::default(),
            siteless: Amount::default(),
            allowed: Vec::new(),
            suppressed: Vec::new(),
            threads: Vec::new(),
            fds: Vec::new(),
            children: Vec::new(),
            unjudged: Vec::new(),
            call_stacks: Stacks::default(),
            symbols: Symbols::default(),
            timeline: None,
            timeline_unknown: None,
        }
    }

    /// A report of a measurement with names for its `top` largest call sites, or for a hundred
    /// where `top` is fewer.
    pub(crate) fn new(
        test: Test,
        verdict: Verdict,
        measurement: &Measurement,
        noise: Noise,
        top: usize,
    ) -> Self {
        Self::of_growing(test, verdict, measurement, noise, top, &HashMap::new())
    }

    /// The same for a repeated body, of which these call sites have grown.
    pub(crate) fn of_growing(
        test: Test,
        verdict: Verdict,
        measurement: &Measurement,
        noise: Noise,
        top: usize,
        growing: &HashMap<SiteId, repeat::Growing>,
    ) -> Self {
        let leaks = |site| growing.get(&site).is_some_and(|it| it.class == GrowthClass::Leak);
        let (listed, omitted) = first(noise.rest, top.max(MOST_CALL_SITES), leaks);
        let body = test.body();
        let fds = measurement.left.open_fds();
        let started_at = measurement.threads.iter().map(|thread| thread.started_at);
        let opened_at = fds.iter().map(|fd| fd.opened_at);
        let children = measurement.left.unwaited_children();
        let of_children = children.iter().map(|child| child.started_at);
        let elsewhere = started_at.chain(opened_at).chain(of_children);
        symbols::look_up(listed.iter().map(|count| count.site).chain(elsewhere));
        let mut call_sites = named(&listed, Some(&body));
        tell_growth(&mut call_sites, &listed, growing);
        let threads = measurement.threads.iter().map(|thread| Thread {
            name: thread.name.clone(),
            started_at: trim(symbols::frames(thread.started_at), Some(&body)),
        });
        let (timeline, timeline_unknown) = match &measurement.timeline {
            Some(Ok(timeline)) => (Some(timeline.clone()), None),
            Some(Err(why)) => (None, Some(why.clone())),
            None => (None, None),
        };
        Self {
            figures: Some(Figures {
                net_growth: measurement.net_growth(),
                retained: measurement.retained,
                released: measurement.released,
                peak_bytes: measurement.peak_bytes,
                churn: measurement.churn,
                unattributed: measurement.unattributed,
                fds: measurement.left.fds.count.known(),
                children: measurement.left.children.count.known(),
                c_heap_bytes: measurement.left.c_heap.known(),
                events: measurement.stats().into(),
                elapsed_us: measurement.elapsed.as_micros().try_into().unwrap_or(u64::MAX),
            }),
            symbols: symbols_in(&listed),
            call_sites,
            omitted,
            siteless: measurement.siteless,
            allowed: measurement.allowed.clone(),
            suppressed: noise.suppressed,
            threads: threads.collect(),
            fds: fds.into_iter().map(|fd| Fd::new(fd, &body)).collect(),
            children: children.into_iter().map(|child| Child::new(child, &body)).collect(),
            unjudged: measurement.left.unjudged(),
            timeline,
            timeline_unknown,
            ..Self::without_figures(test, verdict)
        }
    }
}

impl Report {
    /// The call sites that are listed.
    pub(crate) fn sites(&self) -> Vec<SiteId> {
        self.call_sites.iter().map(|site| site.site).collect()
    }

    /// Whether somebody has looked who holds the blocks.
    pub(crate) fn knows_holders(&self) -> bool {
        self.holders_by.is_some() || self.holders_unknown.is_some()
    }

    /// How many bytes nothing holds any more.
    pub(crate) fn lost_bytes(&self) -> u64 {
        self.call_sites.iter().map(CallSite::lost_bytes).sum()
    }

    /// Puts what is known of holders to the call sites.
    pub(crate) fn add_holders(&mut self, found: Result<Vec<(SiteId, Holder)>, String>) {
        let found = match found {
            Ok(found) => found,
            Err(why) => {
                self.holders_unknown = Some(why);
                return;
            }
        };
        for (site, holder) in found {
            let of = self.call_sites.iter_mut().find(|call_site| call_site.site == site);
            if let Some(call_site) = of.filter(|_| site != 0) {
                call_site.holders.push(holder);
            }
        }
        for call_site in &mut self.call_sites {
            call_site.holders.sort_by_key(|holder| Reverse((holder.bytes, holder.blocks)));
        }
    }
}

/// The call sites that retain memory with their names, the largest first.
pub(crate) fn call_sites(sites: &[SiteCount], body: Option<&Frame>) -> Vec<CallSite> {
    let (listed, _) = first(sites.to_vec(), usize::MAX, |_| false);
    named(&listed, body)
}

fn named(sites: &[SiteCount], body: Option<&Frame>) -> Vec<CallSite> {
    symbols::look_up(sites.iter().map(|count| count.site));
    sites
        .iter()
        .map(|count| CallSite {
            bytes: count.retained.bytes,
            blocks: count.retained.blocks,
            frames: trim(symbols::frames(count.site), body),
            omitted_frames: site::get(count.site).map_or(0, Site::omitted),
            growth: None,
            holders: Vec::new(),
            site: count.site,
        })
        .collect()
}

fn tell_growth(
    call_sites: &mut [CallSite],
    sites: &[SiteCount],
    growing: &HashMap<SiteId, repeat::Growing>,
) {
    let leaks = growing.values().filter(|site| site.class == GrowthClass::Leak);
    let all_per_call: f64 = leaks.map(|site| site.bytes_per_call).sum();
    for (call_site, count) in call_sites.iter_mut().zip(sites) {
        let growing = growing.get(&count.site);
        call_site.growth = growing.map(|it| Growing::new(it, call_site, all_per_call));
    }
}

/// The call sites that retain memory: those that leak first, then the largest.
fn first(
    mut sites: Vec<SiteCount>,
    most: usize,
    leaks: impl Fn(SiteId) -> bool,
) -> (Vec<SiteCount>, Omitted) {
    sites.retain(|site| site.retained.blocks > 0);
    let rank = |count: &SiteCount| (leaks(count.site), count.retained.bytes, count.retained.blocks);
    sites.sort_by_key(|count| Reverse(rank(count)));
    let rest = sites.split_off(most.min(sites.len()));
    let amount = rest.iter().map(|count| count.retained).sum();
    (sites, Omitted { call_sites: rest.len(), amount })
}

/// Judged by what is not the standard library's, which brings debug information of its own.
fn symbols_in(sites: &[SiteCount]) -> Symbols {
    let stacks: Vec<Vec<Frame>> = sites.iter().map(|count| symbols::frames(count.site)).collect();
    let frames = || stacks.iter().flatten().filter(|frame| frame.class != Class::Std);
    if frames().next().is_none() || frames().any(|frame| frame.line.is_some()) {
        Symbols::Lines
    } else if frames().any(|frame| frame.function.is_some()) {
        Symbols::Functions
    } else {
        Symbols::Addresses
    }
}

/// A measurement's call sites, parted into known noise and the rest.
#[derive(Debug, Default)]
pub(crate) struct Noise {
    pub(crate) suppressed: Vec<Suppressed>,
    pub(crate) rest: Vec<SiteCount>,
}

impl Noise {
    /// Without looking: everything counts.
    pub(crate) fn none(sites: &[SiteCount]) -> Self {
        Self { suppressed: Vec::new(), rest: sites.to_vec() }
    }

    /// By the names of the call sites, which takes their looking up. Of a call site that is known
    /// noise, only what certainly comes from there is left out: an estimate decides nothing.
    pub(crate) fn sift(sites: &[SiteCount], rules: &[Suppression]) -> Self {
        let mut noise = Self::default();
        symbols::look_up(sites.iter().map(|site| site.site));
        for site in sites {
            let frames = without_harness(symbols::frames(site.site));
            match rules.iter().find(|rule| rule.covers(&frames)) {
                Some(rule) => noise.suppress(rule, *site),
                None => noise.rest.push(*site),
            }
        }
        noise
    }

    /// The same for a measurement of the whole thread that libtest started for a test: what is
    /// allocated or freed there before and after the test is nobody's leak.
    #[cfg(interposed)]
    pub(crate) fn sift_of_thread(sites: &[SiteCount], rules: &[Suppression]) -> Self {
        let around = Suppression::around_tests();
        let (outside, inside): (Vec<SiteCount>, Vec<SiteCount>) =
            sites.iter().partition(|site| is_around_test(&symbols::frames(site.site)));
        let mut noise = Self::sift(&inside, rules);
        let outside = outside.into_iter().filter(|site| site.retained != site.released);
        outside.for_each(|site| noise.suppress(&around, site));
        noise
    }

    /// What was suppressed in all.
    pub(crate) fn excused(&self) -> Excused {
        Excused {
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
            self.suppressed.push(Suppressed {
                rule: rule.rule().to_owned(),
                why: rule.why().to_owned(),
                amount: Amount::default(),
                released: Amount::default(),
            });
            self.suppressed.len() - 1
        });
        self.suppressed[index].amount += site.certain;
        self.suppressed[index].released += site.released;
    }
}
