//! What is left behind beside memory and threads.

use serde::{Deserialize, Serialize};

use super::Frame;
use crate::left;
use crate::stack::frame::trim;
use crate::stack::symbols;

/// A file descriptor that was opened inside and is still open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fd {
    /// Its number.
    pub number: i32,
    /// What it points to, as the system knows it.
    pub target: String,
    /// The call stack that opened it; empty where that is not known.
    pub opened_at: Vec<Frame>,
}

/// A child process that was started inside and that nobody has waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Child {
    /// Its number.
    pub pid: i32,
    /// Its program and arguments, or where they are gone its name.
    pub command: String,
    /// Whether it still runs.
    pub state: ChildState,
    /// The call stack that started it; empty where that is not known.
    pub started_at: Vec<Frame>,
}

/// What has become of a child process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChildState {
    /// It still runs.
    Running,
    /// It is over, and the system keeps it until somebody waits for it.
    Exited,
}

impl Fd {
    pub(super) fn new(fd: left::Fd, body: &Frame) -> Self {
        let opened_at = trim(symbols::frames(fd.opened_at), Some(body));
        Self { number: fd.number, target: fd.target, opened_at }
    }
}

impl Child {
    pub(super) fn new(child: left::Child, body: &Frame) -> Self {
        Self {
            pid: child.pid,
            command: child.command,
            state: if child.exited { ChildState::Exited } else { ChildState::Running },
            started_at: trim(symbols::frames(child.started_at), Some(body)),
        }
    }
}
