//! What a region leaves behind beside memory: file descriptors that are still open.
//!
//! What is known to be made by a region is its own, exactly, whatever else runs: functions of the C library that make
//! it are [interposed](opening). What merely appeared while the region was open may be anyone's. It counts where the
//! region was [alone](alone), and otherwise the figure is not judged.

#[cfg(target_os = "linux")]
pub(crate) mod alone;
#[cfg(target_os = "linux")]
#[cfg_attr(not(noted), allow(dead_code, reason = "nothing is noted"))]
#[allow(unsafe_code, reason = "says that zeroed memory is an entry, and asks for a file's status")]
mod fd_opened;
#[cfg(target_os = "linux")]
mod fds;
#[cfg(noted)]
#[allow(unsafe_code, reason = "interposes functions of the C library")]
mod opening;
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
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a table in memory of the system's")]
mod table;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ledger::account::RegionId;
use crate::options::Options;
use crate::stack::site::SiteId;
use crate::verdict::{Figure, Unjudged};

/// The most entries of a list that are described.
#[cfg(target_os = "linux")]
const MOST_LISTED: usize = 100;

/// What can be left behind beside memory of the Rust heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Thing {
    /// Threads that were started and still run.
    Threads,
    /// File descriptors that were opened and are still open.
    Fds,
}

/// What a region has left behind by now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    pub(crate) fds: Things,
}

/// Things of one kind that a region has left behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Things {
    pub(crate) count: Count,
    /// Their numbers in the system.
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

/// What was there when a region opened.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Before {
    outermost: bool,
    since: alone::Since,
    fds: fds::Before,
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
    if options.fds.is_some() && !cfg!(target_os = "linux") {
        return Err(Error::left_unseen("fds", "Linux, where open file descriptors can be listed"));
    }
    Ok(())
}

#[cfg(target_os = "linux")]
impl Before {
    /// To be called when a region is open.
    pub(crate) fn new(outermost: bool) -> Self {
        process::is_this();
        fd_opened::prepare();
        if outermost {
            alone::opens();
        }
        Self { outermost, since: alone::Since::now(), fds: fds::Before::new() }
    }

    /// What the `owners`, the region and those inside it, have left behind by now. `everyone` is them and those
    /// whose doings are allowed.
    pub(crate) fn left(&self, owners: &[RegionId], everyone: &[RegionId]) -> Left {
        let whose: Vec<owner::Owner> = owners.iter().copied().map(owner::Owner::region).collect();
        let alone = || self.since.was_alone(everyone);
        Left { fds: self.fds.since(&whose).judge(alone) }
    }

    /// To be called when the region is about to close.
    pub(crate) fn closes(&self, region: RegionId, parent: RegionId) {
        if self.outermost {
            alone::closes();
        } else {
            fd_opened::pass_on(owner::Owner::region(region), owner::Owner::region(parent));
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Before {
    pub(crate) fn new(_: bool) -> Self {
        Self
    }

    pub(crate) fn left(&self, _: &[RegionId], _: &[RegionId]) -> Left {
        Left { fds: Things { count: Count::UNSEEN, ..Things::default() } }
    }

    pub(crate) fn closes(&self, _: RegionId, _: RegionId) {}
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
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Thing, i64)> {
        [(Thing::Fds, self.fds.count.at_least())].into_iter()
    }

    /// The descriptors that are still open, as they are now, up to a hundred.
    pub(crate) fn open_fds(&self) -> Vec<Fd> {
        #[cfg(target_os = "linux")]
        return self.fds.numbers.iter().take(MOST_LISTED).copied().map(fds::describe).collect();
        #[cfg(not(target_os = "linux"))]
        Vec::new()
    }

    /// The figures that are not known well enough to be judged.
    pub(crate) fn unjudged(&self) -> Vec<Unjudged> {
        let counts = [(Figure::Fds, self.fds.count)];
        let unjudged = |(figure, count): (Figure, Count)| {
            Some(Unjudged { figure, why: count.not_judged()?.to_owned() })
        };
        counts.into_iter().filter_map(unjudged).collect()
    }
}

impl Count {
    #[cfg(not(target_os = "linux"))]
    const UNSEEN: Self = Self::NotJudged { at_least: 0, why: "not seen on this system" };

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
