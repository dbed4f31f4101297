//! Memory that is meant to stay.

use std::borrow::Cow;
use std::sync::MutexGuard;

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account;
use leakcheck_ledger::thread::{self, EnterGuard, Thread, Untracked};
use leakcheck_system::fork::ForkMutex;

use crate::measurement::{Allowed, Amount};

/// A nested region whose blocks do not count for the verdicts of the enclosing regions.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    pub(crate) region: RegionId,
    parent: RegionId,
    why: String,
}

/// The allowances of all open regions.
static ALLOWANCES: ForkMutex<Vec<Allowance>> = ForkMutex::new(30, Vec::new());

/// Excludes what a closure allocates from the verdict, and lists it in the report with the reason.
///
/// Use it for memory that is meant to stay: a registry that lives as long as the process, an interned
/// name, a deliberate `Box::leak`. Allocations of threads that the closure starts are excluded too. A
/// block that is later reallocated outside of the closure counts again from then on. Outside of a
/// check, the closure runs as usual.
///
/// ```
/// # use leakcheck::{Options, check};
/// # fn main() {
/// let options = Options::new().name("registers the plugins once").threshold_bytes(0);
/// check(options, || {
///     leakcheck::allow("plugins live as long as the process", || Vec::leak(vec![0; 4096]));
/// });
/// # }
/// ```
pub fn allow<T>(why: impl Into<Cow<'static, str>>, body: impl FnOnce() -> T) -> T {
    let entered = {
        let _untracked = Untracked::new();
        let parent = thread::with(Thread::current_region);
        let region = if parent == 0 { None } else { find_or_open(parent, why.into()) };
        let stack_base = thread::with(|thread| thread.stack_base.get() as usize);
        region.map(|region| EnterGuard::new(region, stack_base))
    };
    let value = body();
    drop(entered);
    value
}

fn find_or_open(parent: RegionId, why: Cow<'static, str>) -> Option<RegionId> {
    let mut allowances = allowances();
    if let Some(known) = allowances.iter().find(|known| known.parent == parent && known.why == why)
    {
        return Some(known.region);
    }
    let region = account::open(parent)?;
    account::get(region)?.add_reference();
    allowances.push(Allowance { region, parent, why: why.into_owned() });
    Some(region)
}

/// The outermost allowances inside a region.
pub(crate) fn inside(region: RegionId) -> Vec<Allowance> {
    let all = allowances();
    let inside = |allowance: &&Allowance| account::is_inside(allowance.parent, region);
    let outermost = |allowance: &&Allowance| {
        let around = |other: &Allowance| {
            other.region != region
                && account::is_inside(other.region, region)
                && account::is_inside(allowance.parent, other.region)
        };
        !all.iter().any(around)
    };
    all.iter().filter(inside).filter(outermost).cloned().collect()
}

/// Closes the allowances inside a region that closes. They are kept until the outermost region
/// closes, because they do not count for its verdict either.
pub(crate) fn close_inside(region: RegionId) {
    let outermost = account::get(region).is_none_or(|account| account.parent() == 0);
    allowances().retain(|allowance| {
        let inside = account::is_inside(allowance.parent, region);
        if let Some(account) = account::get(allowance.region).filter(|_| inside) {
            account.close();
            if outermost {
                account.remove_reference();
            }
        }
        !(inside && outermost)
    });
}

fn allowances() -> MutexGuard<'static, Vec<Allowance>> {
    ALLOWANCES.lock()
}

impl Allowance {
    pub(crate) fn amount(&self) -> Allowed {
        let counts = account::get(self.region);
        let counts = counts.map(|account| account.counts(self.region)).unwrap_or_default();
        let amount = Amount { bytes: counts.live_bytes(), blocks: counts.live_blocks() };
        Allowed::new(self.why.clone(), amount)
    }
}
