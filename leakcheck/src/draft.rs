//! Builds the report of a measurement, with names for its call sites.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::measurement::Measurement;
use crate::measurement::SiteCount;
use crate::names;
use crate::noise::Noise;
use crate::options::{Options, Scope};
use crate::report::{
    CallSite, Child, ChildState, Class, Fd, Figures, Frame, Growing, GrowthClass, Holder, Omitted,
    Report, Severity, Symbols, Test, Thread, advice,
};
use crate::resources;
use crate::settings;
use crate::verdict::Verdict;
use leakcheck_growth as repeat;
use leakcheck_ledger::SiteId;
use leakcheck_ledger::call_site::{self, Site};
use leakcheck_report::order;
use leakcheck_symbols::trim::trim;

/// The most call sites in a JSON report, unless `top` asks for more.
const MOST_CALL_SITES: u64 = 100;

/// A report under construction, with the ids that its call sites have in this process.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) report: Report,
    /// The call sites of the report, in its order.
    pub(crate) sites: Vec<SiteId>,
}

/// The check that a report is about.
pub(crate) fn test(options: &Options, name: &str, scope: Scope) -> Test {
    let origin = &options.origin;
    let mut test = Test::default();
    name.clone_into(&mut test.name);
    test.package = origin.package.map(str::to_owned);
    test.binary = origin.binary.map(str::to_owned);
    test.krate = origin.krate().map(str::to_owned);
    test.integration = origin.integration;
    test.kind = settings::kind_of(options);
    test.scope = scope;
    test.file = origin.file.map(str::to_owned);
    test.line = origin.line;
    test
}

impl Draft {
    /// A report of a measurement, with names for its `top` largest call sites, or for a hundred where
    /// `top` is smaller.
    pub(crate) fn new(
        test: Test,
        verdict: Verdict,
        measurement: &Measurement,
        noise: Noise,
        top: u64,
    ) -> Self {
        Self::of_growing(test, verdict, measurement, noise, top, &HashMap::new())
    }

    /// The same for a repeated body in which these call sites have grown.
    pub(crate) fn of_growing(
        test: Test,
        verdict: Verdict,
        measurement: &Measurement,
        noise: Noise,
        top: u64,
        growing: &HashMap<SiteId, repeat::SiteGrowth>,
    ) -> Self {
        let leaks = |site| growing.get(&site).is_some_and(|it| it.class == GrowthClass::Leak);
        let most = usize::try_from(top.max(MOST_CALL_SITES)).unwrap_or(usize::MAX);
        let (listed, omitted) = first(noise.rest, most, &leaks);
        let body = test.body();
        let fds = measurement.resources.open_fds();
        let children = measurement.resources.unwaited_children();
        let sites: Vec<SiteId> = listed.iter().map(|count| count.site).collect();
        let mut all_sites = sites.clone();
        all_sites.extend(measurement.threads.iter().map(|thread| thread.started_at));
        all_sites.extend(fds.iter().map(|fd| fd.opened_at));
        all_sites.extend(children.iter().map(|child| child.started_at));
        names::look_up(&all_sites);
        let mut call_sites = named(&listed, Some(&body));
        add_growth(&mut call_sites, &listed, growing);
        let frames = |site| trim(names::frames(site), Some(&body));
        let threads = measurement.all_threads().into_iter();
        let threads = threads.map(|it| Thread::new(it.name, frames(it.started_at)));
        let mut report = Report::new(test, verdict);
        report.figures = Some(figures(measurement));
        report.symbols = symbols_in(&listed);
        if report.symbols == Symbols::Addresses {
            report.symbols_unknown = leakcheck_symbols::unread();
        }
        report.call_sites = call_sites;
        report.omitted = omitted;
        report.siteless = measurement.siteless;
        report.allowed.clone_from(&measurement.allowed);
        report.suppressed = noise.suppressed;
        report.threads = threads.collect();
        report.fds = fds.into_iter().map(|it| of_fd(it, frames)).collect();
        report.children = children.into_iter().map(|it| of_child(it, frames)).collect();
        report.unjudged = measurement.resources.unjudged();
        match &measurement.timeline {
            Some(Ok(timeline)) => report.timeline = Some(timeline.clone()),
            Some(Err(why)) => report.timeline_unknown = Some(why.clone()),
            None => {}
        }
        Self { report, sites }
    }

    /// Adds what keeps the blocks of call sites alive, given by the call sites' indices in the report.
    pub(crate) fn add_holders(&mut self, found: Result<Vec<(usize, Holder)>, String>) {
        let found = match found {
            Ok(found) => found,
            Err(why) => {
                self.report.holders_unknown = Some(why);
                return;
            }
        };
        for (place, holder) in found {
            self.report.call_sites[place].holders.push(holder);
        }
        for call_site in &mut self.report.call_sites {
            let by_size = |holder: &Holder| Reverse((holder.bytes, holder.blocks));
            order::sort_by_key(&mut call_site.holders, by_size);
        }
    }

    /// The index of a call site in the report.
    pub(crate) fn place_of(&self, site: SiteId) -> Option<usize> {
        self.sites.iter().position(|known| *known == site).filter(|_| site != 0)
    }
}

fn figures(measurement: &Measurement) -> Figures {
    let mut figures = Figures::default();
    figures.net_growth = measurement.net_growth();
    figures.retained = measurement.retained;
    figures.released = measurement.released;
    figures.peak_bytes = measurement.peak_bytes;
    figures.churn = measurement.churn;
    figures.unattributed = measurement.unattributed;
    figures.fds = measurement.resources.fds.count.known();
    figures.children = measurement.resources.children.count.known();
    figures.c_heap_bytes = measurement.resources.c_heap.known();
    figures.events = measurement.events();
    figures.elapsed_us = measurement.elapsed.as_micros().try_into().unwrap_or(u64::MAX);
    figures
}

fn of_fd(fd: resources::Fd, frames: impl Fn(SiteId) -> Vec<Frame>) -> Fd {
    Fd::new(fd.number, fd.target, frames(fd.opened_at))
}

fn of_child(child: resources::Child, frames: impl Fn(SiteId) -> Vec<Frame>) -> Child {
    let state = if child.exited { ChildState::Exited } else { ChildState::Running };
    Child::new(child.pid, child.command, state, frames(child.started_at))
}

impl Measurement {
    /// The call sites that retain memory, the largest first, with names. With
    /// `LEAK_STACKS=sampled` their figures are estimates.
    ///
    /// Looking the names up reads the program's debug information, which takes some milliseconds
    /// the first time.
    pub fn call_sites(&self) -> Vec<CallSite> {
        let (listed, _) = first(self.sites.clone(), usize::MAX, &|_| false);
        named(&listed, None)
    }
}

fn named(sites: &[SiteCount], body: Option<&Frame>) -> Vec<CallSite> {
    names::look_up(&sites.iter().map(|count| count.site).collect::<Vec<_>>());
    sites
        .iter()
        .map(|count| {
            let frames = trim(names::frames(count.site), body);
            let mut call_site = CallSite::new(count.retained, frames);
            call_site.omitted_frames = call_site::get(count.site).map_or(0, Site::omitted);
            call_site
        })
        .collect()
}

fn add_growth(
    call_sites: &mut [CallSite],
    sites: &[SiteCount],
    growing: &HashMap<SiteId, repeat::SiteGrowth>,
) {
    let leaks = growing.values().filter(|site| site.class == GrowthClass::Leak);
    let all_per_call: f64 = leaks.map(|site| site.bytes_per_call).sum();
    for (call_site, count) in call_sites.iter_mut().zip(sites) {
        let growing = growing.get(&count.site);
        call_site.growth = growing.map(|it| growth(it, &call_site.frames, all_per_call));
    }
}

/// With severity, and with the advice that the frames of the call site suggest.
fn growth(growing: &repeat::SiteGrowth, frames: &[Frame], all_per_call: f64) -> Growing {
    let mut growth = Growing::new(growing.class, growing.bytes.clone(), growing.blocks.clone());
    growth.bytes_per_call = growing.bytes_per_call;
    growth.blocks_per_call = growing.blocks_per_call;
    if growth.is_leak() {
        growth.severity = Some(Severity::of(growing.bytes_per_call, all_per_call));
        growth.advice = advice::of(frames).map(str::to_owned);
    }
    growth
}

/// The call sites that retain memory: those that leak first, then the largest.
fn first(
    mut sites: Vec<SiteCount>,
    most: usize,
    leaks: &dyn Fn(SiteId) -> bool,
) -> (Vec<SiteCount>, Omitted) {
    sites.retain(|site| site.retained.blocks > 0);
    let rank = |count: &SiteCount| (leaks(count.site), count.retained.bytes, count.retained.blocks);
    order::sort_by_key(&mut sites, |count| Reverse(rank(count)));
    let rest = sites.split_off(most.min(sites.len()));
    let amount = rest.iter().map(|count| count.retained).sum();
    (sites, Omitted::new(rest.len() as u64, amount))
}

/// The standard library does not count: it has debug information of its own.
fn symbols_in(sites: &[SiteCount]) -> Symbols {
    let mut frames: Vec<Frame> = Vec::new();
    for count in sites {
        frames.extend(names::frames(count.site));
    }
    frames.retain(|frame| frame.class != Class::Std);
    if frames.is_empty() || frames.iter().any(|frame| frame.line.is_some()) {
        Symbols::Lines
    } else if frames.iter().any(|frame| frame.function.is_some()) {
        Symbols::Functions
    } else {
        Symbols::Addresses
    }
}
