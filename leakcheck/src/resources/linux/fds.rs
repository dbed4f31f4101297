//! The file descriptors that a region left open.

use std::ffi::c_int;
use std::{fs, io};

use leakcheck_system::spare_fd;

use super::super::Fd;
use super::calls_in_progress::OPENING;
use super::new_handles::NewHandles;
use super::owner::Owner;
use super::proc::{access_mode, max_fds, numbers_in, unreadable};
use super::{opened_fds, socket};

/// The number of descriptors that are tried where `/proc` is missing.
const MAX_TRIED: u64 = 1 << 16;
/// The number of descriptors that are tried at least: the limit may have been lowered.
const MIN_TRIED: u64 = 1 << 10;
/// Where the kernel lists the descriptors.
const FDS: &str = "/proc/self/fd";

/// An open descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OpenFd {
    number: c_int,
    identity: u64,
}

/// The descriptors that were open when a region opened, sorted.
#[derive(Debug)]
pub(super) struct Baseline(io::Result<Vec<OpenFd>>);

impl Baseline {
    pub(super) fn new() -> Self {
        spare_fd::keep();
        let mut open = open_fds();
        if let Ok(open) = &mut open {
            open.sort_unstable();
        }
        Self(open)
    }

    /// The descriptors of `owners`, and those without a recorded owner that have appeared since.
    pub(super) fn since(&self, owners: &[Owner]) -> NewHandles {
        OPENING.retry(|| self.since_once(owners))
    }

    fn since_once(&self, owners: &[Owner]) -> NewHandles {
        let open = match open_fds() {
            Ok(open) => open,
            Err(error) => {
                let owned = opened_fds::owned_by(owners);
                return NewHandles::only_recorded(owned, unreadable(FDS, &error));
            }
        };
        let mut handles = NewHandles::default();
        for fd in open {
            let owner = opened_fds::owner(fd.number, fd.identity);
            let is_new = || Some(self.0.as_ref().ok()?.binary_search(&fd).is_err());
            handles.add(fd.number, owner, owners, is_new);
        }
        if let Err(error) = &self.0 {
            handles.without_baseline(FDS, error);
        }
        handles
    }
}

pub(in crate::resources) fn describe(number: c_int) -> Fd {
    Fd { number, target: target(number), opened_at: opened_fds::opened_at(number) }
}

/// The open descriptors without leakcheck's spare one.
fn open_fds() -> io::Result<Vec<OpenFd>> {
    // Where `/proc` is missing, all numbers are tried.
    let numbers = numbers_in(c"/proc/self/fd").unwrap_or_else(|_| (0..max_number()).collect());
    let spare = spare_fd::number();
    let mut open = Vec::new();
    for number in numbers.into_iter().filter(|number| Some(*number) != spare) {
        match opened_fds::identify(number) {
            Ok(identity) => open.push(OpenFd { number, identity }),
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(open)
}

/// The number of the first descriptor that is not tried.
fn max_number() -> c_int {
    max_fds().clamp(MIN_TRIED, MAX_TRIED) as c_int
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
