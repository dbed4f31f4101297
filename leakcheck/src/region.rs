//! A region: a watched stretch of the program.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use leakcheck_ledger::accounts::account::{self, Account, Counts};
use leakcheck_ledger::accounts::split::{self, Split};
use leakcheck_ledger::alloc::PASS_THROUGH;
use leakcheck_ledger::epoch::{self, CaptureMode};
use leakcheck_ledger::tally::{self, NullAlloc};
use leakcheck_ledger::thread::{self, EnterGuard, Thread, Untracked, running};
use leakcheck_ledger::{RegionId, Totals};
use leakcheck_unwind as unwind;
use stats_alloc::Stats;

use crate::allow;
use crate::error::Error;
use crate::gate::{Access, Pass};
use crate::measurement::{Allowed, Amount, Growth, Measurement, SiteCount};
use crate::options::Scope;
use crate::report::{Stacks, Timeline};
use crate::resources::{Baseline, Resources};
use crate::settle::Waiting;
use crate::timeline::{self, Recording};

/// Selects the blocks whose call stacks are captured from now on, in the whole process.
pub(crate) fn capture(stacks: Stacks) {
    epoch::set_capture_mode(match stacks {
        Stacks::Sampled => CaptureMode::Sampled,
        Stacks::Off => CaptureMode::Off,
        _ => CaptureMode::Full,
    });
}

/// An open region. Figures can be read at any moment; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Region {
    id: RegionId,
    scope: Scope,
    /// The whole process, for a region of process scope.
    process: Option<stats_alloc::Region<'static, NullAlloc>>,
    unattributed: stats_alloc::Region<'static, NullAlloc>,
    opened: Instant,
    baseline: Baseline,
    /// When the region was first measured, in microseconds after it opened; 0 before that. Settling
    /// and naming call sites do not count as the body's time.
    measured: AtomicU64,
    /// Its live bytes over time, or why they are not recorded; none where nobody asked.
    recording: Option<Result<Recording, String>>,
    /// None for an inner region, which runs under the pass of the enclosing one.
    _pass: Option<Pass>,
}

/// The figures of a region that a repetition watches.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// What is retained at each call site, without what is allowed.
    pub(crate) sites: Vec<SiteCount>,
    /// What is retained at unknown call sites.
    pub(crate) siteless: Amount,
    pub(crate) released: Amount,
    /// How many threads that the region started still run.
    pub(crate) threads: usize,
    pub(crate) resources: Resources,
}

impl Region {
    /// Opens a region, nested in the region of this thread if there is one. Blocks while regions are
    /// open that may not run at the same time. `timeline` says whether live bytes are recorded.
    ///
    /// # Errors
    ///
    /// When the allocator is not installed, when a region of process scope would be opened inside
    /// another one, or when there is no memory to keep its figures.
    pub(crate) fn open(scope: Scope, timeline: bool) -> Result<Self, Error> {
        let untracked = Untracked::new();
        make_lazy_state();
        drop(untracked);
        Self::open_at(scope, timeline)
    }

    /// Opens a region of test scope on a thread that has not run any of its own code. It must not
    /// call `thread::current()`, which the standard library sets later.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    #[cfg(interposed)]
    pub(crate) fn open_for_new_thread(timeline: bool) -> Result<Self, Error> {
        Self::open_at(Scope::Test, timeline)
    }

    fn open_at(scope: Scope, timeline: bool) -> Result<Self, Error> {
        see_a_planted_block()?;
        let _untracked = Untracked::new();
        unwind::prepare();
        let recorder = timeline.then(timeline::start);
        let parent = thread::with(Thread::entered_region);
        if parent == 0 {
            thread::with(Thread::before_region_opens);
        }
        let pass = match (scope, parent) {
            (Scope::Process, 0) => Some(Pass::wait(Access::Alone)),
            (Scope::Process, _) => return Err(Error::nested_process_scope()),
            (_, 0) => Some(Pass::wait(Access::Shared)),
            _ => None,
        };
        if parent == 0 {
            thread::with(Thread::on_region_opened);
        }
        let id = account::open(parent).ok_or_else(Error::no_memory)?;
        epoch::region_opened((scope == Scope::Process).then_some(id));
        let opened = Instant::now();
        Ok(Self {
            id,
            scope,
            process: (scope == Scope::Process).then(|| stats_alloc::Region::new(&tally::PROCESS)),
            unattributed: stats_alloc::Region::new(&tally::UNATTRIBUTED),
            opened,
            baseline: Baseline::new(parent == 0, scope),
            measured: AtomicU64::new(0),
            recording: recorder.map(|recorder| recorder.map(|()| Recording::begin(id, opened))),
            _pass: pass,
        })
    }

    /// Assigns the calling thread to the region.
    #[cfg(interposed)]
    pub(crate) fn take_thread(&self) {
        thread::with(|thread| thread.set_region(self.id));
    }

    #[cfg(interposed)]
    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Runs a part of the body with the calling thread assigned to the region.
    pub(crate) fn run<T>(&self, body: impl FnOnce() -> T) -> T {
        run_body(self.id, body)
    }

    /// The figures of the region so far.
    pub(crate) fn measure(&self) -> Measurement {
        let _untracked = Untracked::new();
        let Some(account) = account::get(self.id) else { return Measurement::default() };
        let allowances = allow::inside(self.id);
        let mut owners = self.with_inner();
        let threads = running::started_by(&owners);
        let everyone = owners.clone();
        owners.retain(|owner| {
            !allowances.iter().any(|allowance| account::is_inside(*owner, allowance.region))
        });
        let (counts, split) = self.read(account, &owners);
        let resources = self.baseline.since(&owners, &everyone, &counts);
        Measurement {
            retained: Amount { bytes: counts.live_bytes(), blocks: counts.live_blocks() },
            released: Amount { bytes: counts.released_bytes, blocks: counts.released_blocks },
            peak_bytes: counts.peak_bytes,
            churn: Amount { bytes: counts.allocated_bytes, blocks: counts.allocated_blocks },
            unattributed: growth(&self.unattributed.change()),
            allowed: allowances.iter().map(allow::Allowance::amount).collect::<Vec<Allowed>>(),
            stats: self.stats(&counts),
            sites: site_counts(&split),
            siteless: amount(split.siteless),
            threads,
            elapsed: self.elapsed(),
            resources,
            timeline: self.timeline(&counts),
        }
    }

    /// What the region retains so far, by call site, and the other resources that can grow. It is a
    /// cheaper reading than [`measure`](Self::measure), for frequent polling.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let Some(account) = account::get(self.id) else { return Snapshot::default() };
        let mut owners = vec![self.id];
        owners.extend(account::inner_regions(self.id));
        let threads = running::started_by(&owners).len();
        let everyone = owners.clone();
        let allowances = allow::inside(self.id);
        owners.retain(|owner| {
            !allowances.iter().any(|allowance| account::is_inside(*owner, allowance.region))
        });
        let (counts, split) = self.read(account, &owners);
        let resources = self.baseline.since(&owners, &everyone, &counts);
        Snapshot {
            released: Amount { bytes: counts.released_bytes, blocks: counts.released_blocks },
            sites: site_counts(&split),
            siteless: amount(split.siteless),
            threads: threads + resources.unfollowed_threads.count.at_least() as usize,
            resources,
        }
    }

    /// Waits for threads that have just started and keep the C heap from being judged.
    pub(crate) fn await_threads(&self, waiting: &mut Waiting) {
        let _untracked = Untracked::new();
        while self.baseline.awaits_threads(&self.with_inner()) && waiting.goes_on() {}
    }

    fn with_inner(&self) -> Vec<RegionId> {
        let mut regions = vec![self.id];
        regions.extend(account::inner_regions(self.id));
        regions
    }

    /// The regions whose blocks count for a verdict: this one and those nested in it, without the
    /// regions of what is allowed.
    pub(crate) fn owners(&self) -> Vec<RegionId> {
        let allowances = allow::inside(self.id);
        let mut owners = self.with_inner();
        owners.retain(|owner| {
            !allowances.iter().any(|allowance| account::is_inside(*owner, allowance.region))
        });
        owners
    }

    fn timeline(&self, counts: &Counts) -> Option<Result<Timeline, String>> {
        let recording = self.recording.as_ref()?;
        Some(recording.as_ref().map_err(Clone::clone).and_then(|recording| {
            recording.until(self.opened.elapsed(), counts.live_bytes(), counts.peak_bytes)
        }))
    }

    /// How long the body ran.
    pub(crate) fn elapsed(&self) -> Duration {
        let now = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        let first = self.measured.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        Duration::from_micros(first.map_or_else(|first| first, |_| now))
    }

    /// Totals and their split by call site. Other threads may allocate meanwhile, so both are read
    /// again until the totals did not change, up to a few times.
    fn read(&self, account: &Account, owners: &[RegionId]) -> (Counts, Split) {
        let mut counts = account.counts(self.id);
        for _ in 0..5 {
            let split = split::by_call_site(owners);
            let after = account.counts(self.id);
            if after == counts {
                return (counts, split);
            }
            counts = after;
        }
        (counts, split::by_call_site(owners))
    }

    fn stats(&self, counts: &Counts) -> Stats {
        if let Some(process) = &self.process {
            return process.change();
        }
        Stats {
            allocations: counts.allocated_blocks as usize,
            deallocations: (counts.freed_blocks + counts.released_blocks) as usize,
            reallocations: counts.reallocations as usize,
            bytes_allocated: counts.allocated_bytes as usize,
            bytes_deallocated: (counts.freed_bytes + counts.released_bytes) as usize,
            bytes_reallocated: counts.reallocated_bytes as isize,
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let _untracked = Untracked::new();
        drop(self.recording.take());
        epoch::region_closing(self.scope == Scope::Process);
        allow::close_inside(self.id);
        if let Some(account) = account::get(self.id) {
            self.baseline.closes(self.id, account.parent());
            account.close();
        }
    }
}

/// The outermost frame that call stacks keep: they are cut above the address of its variable. It is
/// never inlined, so that the caller's frame is cut off and the body's frame, which may be inlined
/// here, is kept.
#[inline(never)]
fn run_body<T>(region: RegionId, body: impl FnOnce() -> T) -> T {
    let here = 0_u8;
    let _entered = EnterGuard::new(region, &raw const here as usize);
    body()
}

fn amount(totals: Totals) -> Amount {
    Amount { bytes: totals.bytes, blocks: totals.blocks }
}

fn site_counts(split: &Split) -> Vec<SiteCount> {
    let count = |count: &split::SiteCount| SiteCount {
        site: count.site,
        retained: amount(count.retained),
        certain: amount(count.certain),
        released: amount(count.released),
    };
    split.sites.iter().map(count).collect()
}

fn growth(stats: &Stats) -> Growth {
    Growth {
        bytes: stats.bytes_allocated as i64 - stats.bytes_deallocated as i64,
        blocks: stats.allocations as i64 - stats.deallocations as i64,
    }
}

/// Initializes what the standard library keeps from its first use on, so that no test is charged for
/// it: the handle of this thread and the buffer of stdout.
fn make_lazy_state() {
    _ = std::thread::current();
    _ = std::io::stdout();
}

/// Plants a block and verifies that the ledger counts it. A blind check must fail.
fn see_a_planted_block() -> Result<(), Error> {
    if PASS_THROUGH {
        return Err(Error::pass_through());
    }
    let _untracked = Untracked::new();
    thread::with(|thread| thread.event_seen.set(false));
    drop(black_box(Box::new(0xA5_u8)));
    if thread::with(|thread| thread.event_seen.get()) {
        Ok(())
    } else {
        Err(Error::not_installed())
    }
}
