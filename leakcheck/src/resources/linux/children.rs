//! The child processes that have not been waited for.

use std::ffi::c_int;
use std::fs;

use super::super::Child;
use super::calls_in_progress::STARTING;
use super::new_handles::NewHandles;
use super::owner::Owner;
use super::proc::numbers_in;
use super::started_children;
use super::wait::{any_child, state};

pub(super) use super::wait::State;

/// The children that existed when a region opened.
#[derive(Debug, Default)]
pub(super) struct Baseline(Vec<c_int>);

impl Baseline {
    pub(super) fn new() -> Self {
        Self(children())
    }

    /// The children of `owners`, and those without a recorded owner that have appeared since.
    pub(super) fn since(&self, owners: &[Owner]) -> NewHandles {
        STARTING.retry(|| self.since_once(owners))
    }

    fn since_once(&self, owners: &[Owner]) -> NewHandles {
        let mut handles = NewHandles::default();
        for pid in children() {
            let owner = started_children::owner(pid);
            handles.add(pid, owner, owners, || !self.0.contains(&pid));
        }
        handles
    }
}

/// Describes a child, or returns `None` if it has been waited for.
pub(in crate::resources) fn describe(pid: c_int) -> Option<Child> {
    let state = state(pid)?;
    Some(Child {
        pid,
        command: command(pid),
        exited: state == State::Exited,
        started_at: started_children::started_at(pid),
    })
}

fn children() -> Vec<c_int> {
    if !any_child() {
        return Vec::new();
    }
    let of_threads = numbers_in(c"/proc/self/task").and_then(|tasks| {
        let of = |task| fs::read_to_string(format!("/proc/self/task/{task}/children")).ok();
        // A thread may have ended meanwhile. If no thread has a list, the kernel is built without
        // them.
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

/// All processes whose parent is this process.
fn by_parent() -> Vec<c_int> {
    let this = std::process::id().to_string();
    let is_ours = |pid: &c_int| {
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name is in parentheses and may contain any byte; the state and the parent follow it.
        let rest = status.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_ascii_whitespace().nth(1) == Some(&this)
    };
    numbers_in(c"/proc").unwrap_or_default().into_iter().filter(is_ours).collect()
}

/// The command line of a process, or its name once the arguments are gone.
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
    if let Some((end, _)) = command.char_indices().nth(MAX_CHARS) {
        command.truncate(end);
        command.push('…');
    }
    command
}

/// The length, in characters, at which a command line is truncated.
const MAX_CHARS: usize = 80;
