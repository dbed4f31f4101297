//! The child processes that have not been waited for.

use std::ffi::c_int;
use std::io;

use super::super::Child;
use super::calls_in_progress::STARTING;
use super::new_handles::NewHandles;
use super::owner::Owner;
use super::proc::{has_ended, numbers_in, read, status_field, unreadable};
use super::started_children;
use super::wait::{any_child, state};

pub(super) use super::wait::State;

/// The children that existed when a region opened.
#[derive(Debug)]
pub(super) struct Baseline(io::Result<Vec<c_int>>);

impl Baseline {
    pub(super) fn new() -> Self {
        Self(children())
    }

    /// The children of `owners`, and those without a recorded owner that have appeared since.
    pub(super) fn since(&self, owners: &[Owner]) -> NewHandles {
        STARTING.retry(|| self.since_once(owners))
    }

    fn since_once(&self, owners: &[Owner]) -> NewHandles {
        let children = match children() {
            Ok(children) => children,
            Err(error) => {
                let owned = started_children::owned_by(owners);
                return NewHandles::only_recorded(owned, unreadable(TASKS, &error));
            }
        };
        let mut handles = NewHandles::default();
        for pid in children {
            let owner = started_children::owner(pid);
            let is_new = || Some(!self.0.as_ref().ok()?.contains(&pid));
            handles.add(pid, owner, owners, is_new);
        }
        if let Err(error) = &self.0 {
            handles.without_baseline(TASKS, error);
        }
        handles
    }
}

/// Where the kernel lists threads, and the children of each.
const TASKS: &str = "/proc/self/task";

/// Describes a child, or returns `None` if it has been waited for.
pub(in crate::resources) fn describe(pid: c_int) -> Option<Child> {
    let exited = match state(pid) {
        Ok(state) => state? == State::Exited,
        Err(_) => is_zombie(pid),
    };
    Some(Child {
        pid,
        command: command(pid),
        exited,
        started_at: started_children::started_at(pid),
    })
}

fn children() -> io::Result<Vec<c_int>> {
    if any_child().is_ok_and(|any| !any) {
        return Ok(Vec::new());
    }
    let mut lists = Vec::new();
    for task in numbers_in(c"/proc/self/task")? {
        match read(format!("{TASKS}/{task}/children")) {
            Ok(list) => lists.push(list),
            Err(error) if has_ended(&error) => {}
            Err(error) => return Err(error),
        }
    }
    // If no thread has a list, the kernel is built without them.
    if lists.is_empty() {
        return by_parent();
    }
    let lists = lists.iter().map(|list| String::from_utf8_lossy(list));
    let pids = lists.flat_map(|list| {
        list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<c_int>>()
    });
    Ok(pids.collect())
}

/// All processes whose parent is this process.
fn by_parent() -> io::Result<Vec<c_int>> {
    let this = std::process::id().to_string();
    let mut children = Vec::new();
    for pid in numbers_in(c"/proc")? {
        match read(format!("/proc/{pid}/stat")) {
            Ok(status) if status_field(&status, 1).is_some_and(|parent| parent == this) => {
                children.push(pid);
            }
            Ok(_) => {}
            // The processes of other users may be hidden.
            Err(error) if has_ended(&error) || error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}

fn is_zombie(pid: c_int) -> bool {
    let status = read(format!("/proc/{pid}/stat"));
    status.is_ok_and(|status| status_field(&status, 0).is_some_and(|state| state == "Z"))
}

/// The command line of a process, or its name once the arguments are gone.
fn command(pid: c_int) -> String {
    let Ok(arguments) = read(format!("/proc/{pid}/cmdline")) else { return UNKNOWN.to_owned() };
    let arguments: Vec<_> = arguments
        .split(|&byte| byte == 0)
        .filter(|argument| !argument.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    if arguments.is_empty() {
        return match read(format!("/proc/{pid}/comm")) {
            Ok(name) => String::from_utf8_lossy(&name).trim_end().to_owned(),
            Err(_) => UNKNOWN.to_owned(),
        };
    }
    let mut command = arguments.join(" ");
    if let Some((end, _)) = command.char_indices().nth(MAX_CHARS) {
        command.truncate(end);
        command.push('…');
    }
    command
}

/// What a report shows for a command that cannot be read.
const UNKNOWN: &str = "unknown";
/// The length, in characters, at which a command line is truncated.
const MAX_CHARS: usize = 80;
