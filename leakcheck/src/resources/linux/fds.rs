//! The file descriptors that a region left open.

use std::ffi::c_int;
use std::fs;

use super::super::Fd;
use super::calls_in_progress::OPENING;
use super::new_handles::NewHandles;
use super::owner::Owner;
use super::proc::{access_mode, max_fds, numbers_in};
use super::{opened_fds, socket};

/// The number of descriptors that are tried where `/proc` is missing.
const MAX_TRIED: u64 = 1 << 16;

/// An open descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OpenFd {
    number: c_int,
    identity: u64,
}

/// The descriptors that were open when a region opened, sorted.
#[derive(Debug, Default)]
pub(super) struct Baseline(Vec<OpenFd>);

impl Baseline {
    pub(super) fn new() -> Self {
        let mut open = open_fds();
        open.sort_unstable();
        Self(open)
    }

    /// The descriptors of `owners`, and those without a recorded owner that have appeared since.
    pub(super) fn since(&self, owners: &[Owner]) -> NewHandles {
        OPENING.retry(|| self.since_once(owners))
    }

    fn since_once(&self, owners: &[Owner]) -> NewHandles {
        let mut handles = NewHandles::default();
        for fd in open_fds() {
            let owner = opened_fds::owner(fd.number, fd.identity);
            handles.add(fd.number, owner, owners, || self.0.binary_search(&fd).is_err());
        }
        handles
    }
}

pub(in crate::resources) fn describe(number: c_int) -> Fd {
    Fd { number, target: target(number), opened_at: opened_fds::opened_at(number) }
}

fn open_fds() -> Vec<OpenFd> {
    let numbers = numbers_in(c"/proc/self/fd").unwrap_or_else(|| (0..max_number()).collect());
    let identified = |number| Some(OpenFd { number, identity: opened_fds::identity(number)? });
    numbers.into_iter().filter_map(identified).collect()
}

/// The number of the first descriptor that is not tried.
fn max_number() -> c_int {
    max_fds().min(MAX_TRIED) as c_int
}

/// The file, socket or other object that a descriptor refers to.
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
        let end = match access_mode(number) {
            Some(libc::O_RDONLY) => ", its reading end",
            Some(libc::O_WRONLY) => ", its writing end",
            _ => "",
        };
        return format!("{link}{end}");
    }
    link.into_owned()
}
