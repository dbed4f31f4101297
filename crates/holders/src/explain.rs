//! Takes a snapshot and names what it finds.

use leakcheck_ledger::thread::Untracked;
use leakcheck_ledger::{SiteId, live};
use leakcheck_report::Holder;

use crate::{Query, foreign, names, reach, roots, snapshot, stack};

/// Whether this build can explain what keeps blocks alive.
pub const CAN_EXPLAIN: bool = true;

/// Whether it can be explained in this process: all its blocks are known.
pub fn can_explain() -> bool {
    live::is_enabled()
}

/// Takes a snapshot and finds what keeps the blocks of a query alive.
///
/// # Errors
///
/// In words, when there is no answer.
#[inline(never)]
pub fn explain(query: &Query<'_>) -> Result<Vec<(SiteId, Holder)>, String> {
    let _untracked = Untracked::new();
    stack::with_registers(|stack_pointer| {
        // A thread may end while it is listed, and its memory go: then the child stumbles.
        for _ in 1..ATTEMPTS {
            match explain_once(query, stack_pointer) {
                Err(snapshot::Failure::Crash) => {}
                found => return found.map_err(describe),
            }
        }
        explain_once(query, stack_pointer).map_err(describe)
    })
}

/// How often a snapshot is taken before it is given up.
const ATTEMPTS: usize = 4;

fn explain_once(
    query: &Query<'_>,
    stack_pointer: usize,
) -> Result<Vec<(SiteId, Holder)>, snapshot::Failure> {
    let roots = roots::Roots::find(stack_pointer);
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
        snapshot::Failure::Clone => "the system makes no process for a snapshot",
        snapshot::Failure::Memory => "there is not enough memory to look through a snapshot",
        snapshot::Failure::Time => "there was not enough time to look through a snapshot",
        snapshot::Failure::Crash => "the process with the snapshot came to a sudden end",
    };
    why.to_owned()
}
