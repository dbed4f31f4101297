//! The file descriptors that a region left open.

use std::ffi::c_int;
use std::fs;

use super::super::Fd;
use super::calls_in_progress::OPENING;
use super::owner::Owner;
use super::proc::{access, most_fds, numbers_in};
use super::{Found, fd_opened, socket};

/// Where the system keeps no list, larger numbers are not looked for.
const MOST_TRIED: u64 = 1 << 16;

/// A descriptor that was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    number: c_int,
    identity: u64,
}

/// Those that were open when a region opened, in order.
#[derive(Debug, Default)]
pub(super) struct Baseline(Vec<Open>);

impl Baseline {
    pub(super) fn new() -> Self {
        let mut open = open();
        open.sort_unstable();
        Self(open)
    }

    /// Those that are open now and were not, parted into the regions' own and those that nobody is known to have
    /// opened.
    pub(super) fn since(&self, owners: &[Owner]) -> Found {
        OPENING.retry(|| self.since_once(owners))
    }

    fn since_once(&self, owners: &[Owner]) -> Found {
        let mut found = Found::default();
        for open in open() {
            let opener = fd_opened::opener(open.number, open.identity);
            if owners.contains(&opener) {
                found.own.push(open.number);
            } else if opener == Owner::UNKNOWN && self.0.binary_search(&open).is_err() {
                found.unclear.push(open.number);
            }
        }
        found
    }
}

pub(in crate::resources) fn describe(number: c_int) -> Fd {
    Fd { number, target: target(number), opened_at: fd_opened::opened_at(number) }
}

fn open() -> Vec<Open> {
    let numbers = numbers_in(c"/proc/self/fd").unwrap_or_else(|| (0..most()).collect());
    let identified = |number| Some(Open { number, identity: fd_opened::identity(number)? });
    numbers.into_iter().filter_map(identified).collect()
}

/// No descriptor has this number or a larger one.
fn most() -> c_int {
    most_fds().min(MOST_TRIED) as c_int
}

/// What a descriptor points to, as the system knows it.
fn target(number: c_int) -> String {
    let Ok(link) = fs::read_link(format!("/proc/self/fd/{number}")) else {
        return "unknown".to_owned();
    };
    let link = link.to_string_lossy();
    if link.starts_with("socket:") {
        return socket::describe(number).unwrap_or_else(|| link.into_owned());
    }
    if let Some(kind) = link.strip_prefix("anon_inode:") {
        return kind.trim_matches(['[', ']']).to_owned();
    }
    if link.starts_with("pipe:") {
        let end = match access(number) {
            Some(libc::O_RDONLY) => ", its reading end",
            Some(libc::O_WRONLY) => ", its writing end",
            _ => "",
        };
        return format!("{link}{end}");
    }
    link.into_owned()
}
