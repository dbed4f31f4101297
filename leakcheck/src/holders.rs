//! Who holds a leaked block: the path from the static, thread-local or stack that keeps it alive, or
//! that nothing does.
//!
//! At the verdict a [snapshot](snapshot) is taken of the process. In it, all live blocks are known
//! ([`live`]), and so is what is alive by itself ([`roots`]); whatever looks like a pointer from
//! there on leads further ([`reach`]). What is not reached is lost ([`lost`]). What the child found
//! comes back as addresses ([`answer`]) and gets its names here.

mod again;
#[allow(unsafe_code, reason = "memory that two processes see")]
mod answer;
mod class;
mod dominators;
#[allow(unsafe_code, reason = "reads blocks as they lie there")]
mod evidence;
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod foreign;
mod groups;
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod heap;
mod labels;
mod letter;
mod lost;
#[allow(unsafe_code, reason = "asks the dynamic linker for its objects")]
mod modules;
mod names;
#[allow(unsafe_code, reason = "takes its memory from the kernel")]
mod pool;
#[allow(unsafe_code, reason = "reads the memory of a snapshot")]
mod reach;
mod retained;
#[allow(unsafe_code, reason = "reads glibc's structures of threads")]
mod roots;
#[allow(unsafe_code, reason = "makes a child")]
mod snapshot;
#[allow(unsafe_code, reason = "clears what is left on a stack")]
mod stack;
mod statics;
#[allow(unsafe_code, reason = "says that zeroed memory is an entry, and reads registers")]
pub(crate) mod threads;

use std::path::Path;
use std::time::Duration;

use crate::ledger::account::RegionId;
use crate::ledger::live;
use crate::report::{CallSite, Frame, Holder};
use crate::stack::site::SiteId;
use crate::thread::Quiet;

pub(crate) use again::{is_about, letterbox};
pub(crate) use stack::{Before, clear_dead};

/// Whether this build can tell who holds blocks.
pub(crate) const CAN_TELL: bool = true;

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
    sites: &[SiteId],
) -> Result<Vec<(SiteId, Holder)>, String> {
    let _quiet = Quiet::new();
    stack::with_registers(|stack_pointer| {
        // A thread may end while it is listed, and its memory go: then the child stumbles.
        for _ in 1..ATTEMPTS {
            match explain_once(owners, before, sites, stack_pointer) {
                Err(snapshot::Failure::Crash) => {}
                found => return found.map_err(why_not),
            }
        }
        explain_once(owners, before, sites, stack_pointer).map_err(why_not)
    })
}

/// How often a snapshot is taken before it is given up.
const ATTEMPTS: usize = 4;

fn explain_once(
    owners: &[RegionId],
    before: &Before,
    sites: &[SiteId],
    stack_pointer: usize,
) -> Result<Vec<(SiteId, Holder)>, snapshot::Failure> {
    let roots = roots::Roots::find(stack_pointer);
    let mut names = names::Names::new(&roots);
    let (counted, uncounted) = names.counted(sites);
    let question = reach::Question {
        owners,
        counted: &counted,
        uncounted: &uncounted,
        free_mark: foreign::free_mark(),
        before,
    };
    let answer = snapshot::ask(&roots, &question)?;
    let holders = answer.groups().iter().map(|group| (group.site, names.holder(group)));
    Ok(holders.collect())
}

/// Runs the test of the calling thread, or the one of that name, again, where blocks are listed from the start, and puts who
/// holds them to the call sites that read the same.
///
/// # Errors
///
/// In words, when there is no answer.
pub(crate) fn run_again(
    check: &str,
    test: Option<&str>,
    took: Duration,
    call_sites: &[CallSite],
) -> Result<Vec<(usize, Holder)>, String> {
    let _quiet = Quiet::new();
    let found = again::run(check, test, took)?;
    let of = |frames: &[Frame]| {
        call_sites.iter().position(|site| letter::read_the_same(&site.frames, frames))
    };
    let holders: Vec<(usize, Holder)> =
        found.into_iter().filter_map(|(frames, holder)| Some((of(&frames)?, holder))).collect();
    if holders.is_empty() {
        return Err("not reproduced: run again by itself, the test leaked elsewhere".to_owned());
    }
    Ok(holders)
}

/// Writes what was found for the process that runs this one.
pub(crate) fn send(letterbox: &Path, call_sites: &[CallSite]) {
    let of = |site: &CallSite| {
        let frames = site.frames.clone();
        site.holders.clone().into_iter().map(move |holder| (frames.clone(), holder))
    };
    let found: Vec<_> = call_sites.iter().flat_map(of).collect();
    // Who waits for it says that there is nothing.
    _ = letter::write(letterbox, &found);
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
