//! What a region leaves behind beside memory: open file descriptors, child processes, a C heap that has grown.
//!
//! What is known to be made by a region is its own, exactly, whatever else runs: functions of the C library that make
//! it are [interposed](opening). What merely appeared while the region was open may be anyone's. It counts where the
//! region was [alone](alone), and otherwise the figure is not judged.

#[cfg(target_os = "linux")]
pub(crate) mod alone;
#[cfg(c_heap)]
#[allow(unsafe_code, reason = "asks the C library for figures")]
mod c_heap;
#[cfg(target_os = "linux")]
#[cfg_attr(not(noted), allow(dead_code, reason = "nothing is noted"))]
#[allow(unsafe_code, reason = "says that zeroed memory is an entry")]
mod child_started;
#[cfg(target_os = "linux")]
mod children;
#[cfg(target_os = "linux")]
#[cfg_attr(not(noted), allow(dead_code, reason = "nothing is noted"))]
#[allow(unsafe_code, reason = "says that zeroed memory is an entry, and asks for a file's status")]
mod fd_opened;
#[cfg(target_os = "linux")]
mod fds;
#[cfg(noted)]
#[allow(unsafe_code, reason = "interposes functions of the C library")]
mod opening;
#[cfg_attr(not(c_heap), allow(dead_code, reason = "nobody asks for it"))]
pub(crate) mod own_heap;
#[cfg(target_os = "linux")]
#[cfg_attr(not(noted), allow(dead_code, reason = "nothing is noted"))]
mod owner;
#[cfg(target_os = "linux")]
mod place;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "asks the system")]
mod proc;
#[cfg(target_os = "linux")]
#[cfg_attr(not(noted), allow(dead_code, reason = "nothing is noted"))]
#[allow(unsafe_code, reason = "asks for this process's id, and sets back its error number")]
pub(crate) mod process;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "asks for the addresses of a socket")]
mod socket;
#[cfg(noted)]
#[allow(unsafe_code, reason = "interposes functions of the C library")]
mod starting;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a table in memory of the system's")]
mod table;
#[cfg(target_os = "linux")]
pub(crate) mod under_way;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "asks the system for children")]
mod wait;

use crate::error::Error;
use crate::ledger::account::{Counts, RegionId};
use crate::options::{Options, Scope};
use crate::report::Resource;
use crate::stack::site::SiteId;
use crate::verdict::{Figure, Unjudged};

/// The most entries of a list that are described.
#[cfg(target_os = "linux")]
const MOST_LISTED: usize = 100;

/// What a region has left behind by now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    pub(crate) fds: Things,
    pub(crate) children: Things,
    /// Bytes by which the C heap has grown, at least.
    pub(crate) c_heap: Count,
}

/// Things of one kind that a region has left behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Things {
    pub(crate) count: Count,
    /// Their numbers in the system.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is seen"))]
    numbers: Vec<i32>,
}

/// How many things a region has left behind, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Known(i64),
    /// There may be more than the region is known to have left.
    NotJudged {
        at_least: i64,
        why: &'static str,
    },
}

/// A descriptor that a region left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fd {
    pub(crate) number: i32,
    /// What it points to, in words.
    pub(crate) target: String,
    /// 0 where that is not known.
    pub(crate) opened_at: SiteId,
}

/// A child process that nobody has waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) pid: i32,
    pub(crate) command: String,
    pub(crate) exited: bool,
    /// 0 where that is not known.
    pub(crate) started_at: SiteId,
}

/// What was there when a region opened.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Before {
    outermost: bool,
    since: alone::Since,
    fds: fds::Before,
    children: children::Before,
    #[cfg(c_heap)]
    c_heap: Option<c_heap::Before>,
    scope: Scope,
}

/// What was there is not known.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Before;

/// What has appeared since, by its numbers.
#[cfg(target_os = "linux")]
#[derive(Debug, Default)]
struct Found {
    /// Known to be the regions' own.
    own: Vec<i32>,
    /// Nobody is known to have made it.
    unclear: Vec<i32>,
}

/// Whether what has a limit can be seen at all.
///
/// # Errors
///
/// When a limit was asked for that could never be exceeded here.
pub(crate) fn can_see(options: &Options) -> Result<(), Error> {
    let linux = cfg!(target_os = "linux");
    if options.fds.is_some() && !linux {
        return Err(Error::left_unseen("fds", "Linux, where open file descriptors can be listed"));
    }
    if options.children.is_some() && !linux {
        return Err(Error::left_unseen("children", "Linux, where child processes can be listed"));
    }
    #[cfg(c_heap)]
    let tells = c_heap::can_see();
    #[cfg(not(c_heap))]
    let tells = false;
    if options.c_heap_bytes.is_some() && !tells {
        return Err(Error::left_unseen("c_heap_mb", C_HEAP_NEEDS));
    }
    Ok(())
}

/// What a limit of the C heap needs.
const C_HEAP_NEEDS: &str =
    "glibc 2.33 or later, dynamically linked, which tells how much of its heap is in use";

/// Why nothing is known of the C heap where the C library does not tell.
const C_HEAP_UNSEEN: &str = "the C library does not tell how much of its heap is in use";

/// Why nothing is known of the C heap where a region is not all of the process.
#[cfg(target_os = "linux")]
const C_HEAP_IS_THE_PROCESS: &str =
    "known for a whole process only: run under nextest or give the check `scope = \"process\"`";

#[cfg(target_os = "linux")]
impl Before {
    /// To be called when a region is open.
    pub(crate) fn new(outermost: bool, scope: Scope) -> Self {
        process::is_this();
        fd_opened::prepare();
        child_started::prepare();
        if outermost {
            alone::opens();
        }
        Self {
            outermost,
            since: alone::Since::now(),
            fds: fds::Before::new(),
            children: children::Before::new(),
            #[cfg(c_heap)]
            c_heap: if scope == Scope::Process { c_heap::Before::new() } else { None },
            scope,
        }
    }

    /// What the `owners`, the region and those inside it, have left behind by now. `everyone` is them and those
    /// whose doings are allowed, and `counts` are their figures.
    pub(crate) fn left(&self, owners: &[RegionId], everyone: &[RegionId], counts: &Counts) -> Left {
        let c_heap = self.c_heap(everyone, counts);
        let whose: Vec<owner::Owner> = owners.iter().copied().map(owner::Owner::region).collect();
        let alone = || self.since.was_alone(everyone);
        Left {
            fds: self.fds.since(&whose).judge(alone),
            children: self.children.since(&whose).judge(alone),
            c_heap,
        }
    }

    fn c_heap(&self, everyone: &[RegionId], counts: &Counts) -> Count {
        if self.scope != Scope::Process {
            return Count::none(C_HEAP_IS_THE_PROCESS);
        }
        #[cfg(c_heap)]
        if let Some(grown) = self.c_heap.as_ref().and_then(|before| before.growth(counts)) {
            return match self.since.was_alone(everyone) {
                true => Count::Known(grown),
                false => Count::none(alone::IN_PARALLEL),
            };
        }
        _ = (everyone, counts);
        Count::none(C_HEAP_UNSEEN)
    }

    /// To be called when the region is about to close.
    pub(crate) fn closes(&self, region: RegionId, parent: RegionId) {
        if self.outermost {
            return alone::closes();
        }
        let (inner, outer) = (owner::Owner::region(region), owner::Owner::region(parent));
        fd_opened::pass_on(inner, outer);
        child_started::pass_on(inner, outer);
    }
}

#[cfg(not(target_os = "linux"))]
impl Before {
    pub(crate) fn new(_: bool, _: Scope) -> Self {
        Self
    }

    pub(crate) fn left(&self, _: &[RegionId], _: &[RegionId], _: &Counts) -> Left {
        let unseen =
            || Things { count: Count::none("not seen on this system"), ..Things::default() };
        Left { fds: unseen(), children: unseen(), c_heap: Count::none(C_HEAP_UNSEEN) }
    }

    pub(crate) fn closes(&self, _: RegionId, _: RegionId) {}
}

/// Code is about to go away: places that were noted by its addresses become call sites, which outlive it.
#[cfg(holders)]
pub(crate) use child_started::start_ours;

/// Whether a child process is leakcheck's own.
#[cfg(all(test, noted))]
pub(crate) fn is_ours(child: std::ffi::c_int) -> bool {
    child_started::starter(child) == owner::Owner::OURS
}

#[cfg(noted)]
pub(crate) fn keep_places() {
    fd_opened::keep_places();
    child_started::keep_places();
}

#[cfg(target_os = "linux")]
impl Found {
    fn judge(mut self, alone: impl FnOnce() -> bool) -> Things {
        let clear = self.unclear.is_empty() || alone();
        if clear {
            self.own.append(&mut self.unclear);
        }
        let number = self.own.len() as i64;
        let count = match clear {
            true => Count::Known(number),
            false => Count::NotJudged { at_least: number, why: alone::IN_PARALLEL },
        };
        Things { count, numbers: self.own }
    }
}

impl Left {
    /// How many things of each kind there certainly are, for who watches them grow.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Resource, i64)> {
        [
            (Resource::Fds, self.fds.count.at_least()),
            (Resource::Children, self.children.count.at_least()),
            (Resource::CHeap, self.c_heap.at_least()),
        ]
        .into_iter()
    }

    /// The descriptors that are still open, as they are now, up to a hundred.
    pub(crate) fn open_fds(&self) -> Vec<Fd> {
        #[cfg(target_os = "linux")]
        return self.fds.numbers.iter().take(MOST_LISTED).copied().map(fds::describe).collect();
        #[cfg(not(target_os = "linux"))]
        Vec::new()
    }

    /// The children that nobody has waited for, as they are now, up to a hundred.
    pub(crate) fn unwaited_children(&self) -> Vec<Child> {
        #[cfg(target_os = "linux")]
        return self
            .children
            .numbers
            .iter()
            .take(MOST_LISTED)
            .copied()
            .filter_map(children::describe)
            .collect();
        #[cfg(not(target_os = "linux"))]
        Vec::new()
    }

    /// The figures that are not known well enough to be judged.
    pub(crate) fn unjudged(&self) -> Vec<Unjudged> {
        let counts = [
            (Figure::Fds, self.fds.count),
            (Figure::Children, self.children.count),
            (Figure::CHeapBytes, self.c_heap),
        ];
        let unjudged =
            |(figure, count): (Figure, Count)| Some(Unjudged::new(figure, count.not_judged()?));
        counts.into_iter().filter_map(unjudged).collect()
    }
}

impl Count {
    fn none(why: &'static str) -> Self {
        Self::NotJudged { at_least: 0, why }
    }

    /// What it certainly comes to.
    pub(crate) fn at_least(self) -> i64 {
        match self {
            Self::Known(number) | Self::NotJudged { at_least: number, .. } => number,
        }
    }

    /// What it comes to, where that is known.
    pub(crate) fn known(self) -> Option<i64> {
        match self {
            Self::Known(number) => Some(number),
            Self::NotJudged { .. } => None,
        }
    }

    /// Why it may come to more, if it may.
    pub(crate) fn not_judged(self) -> Option<&'static str> {
        match self {
            Self::Known(_) => None,
            Self::NotJudged { why, .. } => Some(why),
        }
    }
}

impl Default for Count {
    fn default() -> Self {
        Self::Known(0)
    }
}
