//! The child processes that nobody has waited for.

use std::ffi::c_int;
use std::fs;

use super::super::Child;
use super::calls_in_progress::STARTING;
use super::owner::Owner;
use super::proc::numbers_in;
use super::wait::{any_child, state};
use super::{Found, child_started};

pub(super) use super::wait::State;

/// Those that there were when a region opened.
#[derive(Debug, Default)]
pub(super) struct Baseline(Vec<c_int>);

impl Baseline {
    pub(super) fn new() -> Self {
        Self(children())
    }

    /// Those that there are now and were not, parted into the regions' own and those that nobody is known to have
    /// started.
    pub(super) fn since(&self, owners: &[Owner]) -> Found {
        STARTING.retry(|| self.since_once(owners))
    }

    fn since_once(&self, owners: &[Owner]) -> Found {
        let mut found = Found::default();
        for pid in children() {
            let starter = child_started::starter(pid);
            if owners.contains(&starter) {
                found.own.push(pid);
            } else if starter == Owner::UNKNOWN && !self.0.contains(&pid) {
                found.unclear.push(pid);
            }
        }
        found
    }
}

/// `None` for one that was waited for meanwhile.
pub(in crate::resources) fn describe(pid: c_int) -> Option<Child> {
    let state = state(pid)?;
    Some(Child {
        pid,
        command: command(pid),
        exited: state == State::Exited,
        started_at: child_started::started_at(pid),
    })
}

fn children() -> Vec<c_int> {
    if !any_child() {
        return Vec::new();
    }
    let of_threads = numbers_in(c"/proc/self/task").and_then(|tasks| {
        let of = |task| fs::read_to_string(format!("/proc/self/task/{task}/children")).ok();
        // A thread may have ended since; but where none has a list, the kernel keeps none.
        let lists: Vec<String> = tasks.into_iter().filter_map(of).collect();
        (!lists.is_empty()).then_some(lists)
    });
    match of_threads {
        Some(lists) => {
            let pids = lists.iter().flat_map(|list| list.split_ascii_whitespace());
            pids.filter_map(|pid| pid.parse().ok()).collect()
        }
        None => by_parent(),
    }
}

/// All processes whose parent this one is.
fn by_parent() -> Vec<c_int> {
    let this = std::process::id().to_string();
    let is_ours = |pid: &c_int| {
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name stands in brackets and may be anything; then come the state and the parent.
        let rest = status.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_ascii_whitespace().nth(1) == Some(&this)
    };
    numbers_in(c"/proc").unwrap_or_default().into_iter().filter(is_ours).collect()
}

/// What runs in a process: its arguments, or where they are gone its name.
fn command(pid: c_int) -> String {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments: Vec<_> = arguments
        .split(|&byte| byte == 0)
        .filter(|argument| !argument.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    if arguments.is_empty() {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        return name.trim_end().to_owned();
    }
    let mut command = arguments.join(" ");
    if let Some((end, _)) = command.char_indices().nth(MOST_LETTERS) {
        command.truncate(end);
        command.push('…');
    }
    command
}

/// How much of a command is kept.
const MOST_LETTERS: usize = 80;
