//! What a test leaves behind besides memory of the Rust heap.

use serde::Serialize;

use crate::frame::Frame;

/// What a test can leave behind besides memory of the Rust heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Resource {
    /// Threads that were started and still run.
    Threads,
    /// File descriptors that were opened and are still open.
    Fds,
    /// Child processes that were started and that nobody has waited for.
    Children,
    /// Bytes of the C heap.
    CHeap,
}

/// The name of a thread that has not named itself.
pub const UNNAMED: &str = "unnamed";

/// A thread that was started inside the region and still runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Thread {
    /// Its name as the kernel knows it, or [`UNNAMED`].
    pub name: String,
    /// The call stack that started it.
    pub started_at: Vec<Frame>,
}

/// A file descriptor that was opened inside the region and is still open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Fd {
    /// Its number.
    pub number: i32,
    /// What it points to, as the system knows it.
    pub target: String,
    /// The call stack that opened it; empty where that is not known.
    pub opened_at: Vec<Frame>,
}

/// A child process that was started inside the region and that nobody has waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Child {
    /// Its number.
    pub pid: i32,
    /// Its program and arguments, or its name where they are gone.
    pub command: String,
    /// Whether it still runs.
    pub state: ChildState,
    /// The call stack that started it; empty where that is not known.
    pub started_at: Vec<Frame>,
}

/// What has become of a child process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChildState {
    /// It still runs.
    Running,
    /// It has exited, and the system keeps it until somebody waits for it.
    Exited,
}

impl Thread {
    /// A thread with its name and the call stack that started it.
    pub fn new(name: impl Into<String>, started_at: Vec<Frame>) -> Self {
        Self { name: name.into(), started_at }
    }
}

impl Fd {
    /// A descriptor with what it points to and the call stack that opened it.
    pub fn new(number: i32, target: impl Into<String>, opened_at: Vec<Frame>) -> Self {
        Self { number, target: target.into(), opened_at }
    }
}

impl Child {
    /// A child process with its command and the call stack that started it.
    pub fn new(
        pid: i32,
        command: impl Into<String>,
        state: ChildState,
        started_at: Vec<Frame>,
    ) -> Self {
        Self { pid, command: command.into(), state, started_at }
    }
}
