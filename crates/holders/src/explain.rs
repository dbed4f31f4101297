//! Takes a snapshot and names what it finds.

use leakcheck_ledger::thread::Untracked;
use leakcheck_ledger::{SiteId, shadow};
use leakcheck_report::Holder;

use crate::{Query, foreign, names, reach, roots, snapshot};

/// Whether this build can find holders.
pub const CAN_EXPLAIN: bool = true;

/// Takes a snapshot and finds the holders of the blocks of a query, by call site.
///
/// # Errors
///
/// Returns the reason why there is no answer, as text for the report.
#[inline(never)]
pub fn explain(query: &Query<'_>) -> Result<Vec<(SiteId, Holder)>, String> {
    let _untracked = Untracked::new();
    if !shadow::is_complete() {
        return Err(NO_MAP.to_owned());
    }
    // The child crashes if a thread ends, and its stack is unmapped, after it was listed. So another
    // attempt is worthwhile.
    for _ in 1..ATTEMPTS {
        match explain_once(query) {
            Err(snapshot::Failure::Crash) => {}
            found => return found.map_err(describe),
        }
    }
    explain_once(query).map_err(describe)
}

/// Why there is no answer where blocks are missing in the shadow map.
const NO_MAP: &str = "the kernel refused memory for the list of live blocks: raise the limit on \
                      address space (`ulimit -v`)";

/// The maximum number of snapshots that are taken for a query.
const ATTEMPTS: usize = 4;

fn explain_once(query: &Query<'_>) -> Result<Vec<(SiteId, Holder)>, snapshot::Failure> {
    let roots = roots::Roots::find(query).map_err(snapshot::Failure::Unreadable)?;
    let mut names = names::Names::new(&roots);
    let (refcounted_sites, other_sites) = names.split_by_refcounts(query.sites);
    let snapshot_query = reach::SnapshotQuery {
        owners: query.owners,
        refcounted_sites: &refcounted_sites,
        other_sites: &other_sites,
        free_mark: foreign::free_mark(),
        stack_before: query.stack_before,
    };
    let answer = snapshot::ask(&roots, &snapshot_query, query.start_child)?;
    let holders = answer.groups().iter().map(|group| (group.site, names.holder(group)));
    Ok(holders.collect())
}

fn describe(failure: snapshot::Failure) -> String {
    let why = match failure {
        snapshot::Failure::Unreadable(what) => return what.to_string(),
        snapshot::Failure::Clone => "cannot create a process for a snapshot",
        snapshot::Failure::Memory => "not enough memory to search a snapshot",
        snapshot::Failure::Time => "not enough time to search a snapshot",
        snapshot::Failure::Crash => "the process with the snapshot crashed",
    };
    why.to_owned()
}
