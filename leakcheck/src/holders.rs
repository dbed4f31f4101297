//! Who holds a leaked block: the path from the static, thread-local or stack that keeps it alive, or
//! that nothing does.
//!
//! At the verdict a [snapshot](snapshot) is taken of the process. In it, all live blocks are known
//! ([`live`]), and so is what is alive by itself ([`roots`]); whatever looks like a pointer from
//! there on leads further ([`reach`]). What is not reached is lost ([`lost`]). What the child found
//! comes back as addresses ([`answer`]) and gets its names here.

#[allow(unsafe_code, reason = "memory that two processes see")]
mod answer;
mod class;
#[allow(unsafe_code, reason = "reads blocks as they lie there")]
mod evidence;
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod foreign;
mod groups;
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod heap;
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod lost;
#[allow(unsafe_code, reason = "asks the dynamic linker for its objects")]
mod modules;
mod names;
#[allow(unsafe_code, reason = "takes its memory from the kernel")]
mod pool;
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod reach;
#[allow(unsafe_code, reason = "reads glibc's structures of threads")]
mod roots;
#[allow(unsafe_code, reason = "makes a child")]
mod snapshot;
#[allow(unsafe_code, reason = "clears what is left on a stack")]
mod stack;
mod statics;
#[allow(unsafe_code, reason = "says that zeroed memory is an entry, and reads registers")]
pub(crate) mod threads;

use crate::ledger::account::RegionId;
use crate::ledger::live;
use crate::report::holder::Holder;
use crate::stack::site::SiteId;
use crate::thread::Quiet;

pub use class::Holding;
pub(crate) use stack::{Before, clear_dead};

/// Whether holders can be told in this process: all its blocks are known.
pub(crate) fn are_known() -> bool {
    live::are_listed()
}

/// Takes a snapshot and tells who holds the blocks that these regions own.
///
/// # Errors
///
/// In words, when there is no answer.
#[inline(never)]
pub(crate) fn explain(
    owners: &[RegionId],
    before: &Before,
) -> Result<Vec<(SiteId, Holder)>, String> {
    let _quiet = Quiet::new();
    let question = reach::Question { owners, counted: &[], uncounted: &[], before };
    stack::with_registers(|stack_pointer| {
        let roots = roots::Roots::find(stack_pointer);
        let answer = snapshot::ask(&roots, &question).map_err(why_not)?;
        let mut names = names::Names::new(&roots);
        let holders = answer.groups().iter().map(|group| (group.site, names.holder(group)));
        Ok(holders.collect())
    })
}

fn why_not(failure: snapshot::Failure) -> String {
    let why = match failure {
        snapshot::Failure::Clone => "the system makes no process for a snapshot",
        snapshot::Failure::Memory => "there is not enough memory to look through a snapshot",
        snapshot::Failure::Time => "there was not enough time to look through a snapshot",
        snapshot::Failure::Crash => "the process with the snapshot came to a sudden end",
    };
    why.to_owned()
}
