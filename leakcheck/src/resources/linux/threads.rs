//! Threads that no hook follows: they were started by `thrd_create`, inside a library, or by a
//! system call. The kernel lists them with all others.

use std::ffi::c_int;
use std::io;

use leakcheck_ledger::thread::running::{self, RunningThread, UNNAMED};

use super::new_handles::NewHandles;
use super::proc::{has_ended, numbers_in, read, status_field, unreadable};

const TASKS: &str = "/proc/self/task";

/// The threads that existed when a region opened, sorted.
#[derive(Debug)]
pub(super) struct Baseline(io::Result<Vec<c_int>>);

impl Baseline {
    pub(super) fn new() -> Self {
        let mut tids = tids();
        if let Ok(tids) = &mut tids {
            tids.sort_unstable();
        }
        Self(tids)
    }

    /// The threads that have appeared since and that no hook follows.
    pub(super) fn since(&self) -> NewHandles {
        let tids = match tids() {
            Ok(tids) => tids,
            Err(error) => return NewHandles::only_recorded(Vec::new(), unreadable(TASKS, &error)),
        };
        let followed = running::followed();
        let before = self.0.as_deref().unwrap_or_default();
        let unfollowed = tids.into_iter().filter(|tid| {
            before.binary_search(tid).is_err()
                && !followed.contains(*tid)
                && *tid != own_tid()
                && runs_code(*tid)
        });
        let unfollowed: Vec<c_int> = unfollowed.collect();
        // A thread that is starting is listed before its hook knows its id.
        if unfollowed.len() <= followed.starting {
            return NewHandles::default();
        }
        let mut handles = NewHandles::only_unowned(unfollowed);
        if let Err(error) = &self.0 {
            handles.without_baseline(TASKS, error);
        }
        handles
    }
}

/// Describes a thread that no hook follows.
pub(in crate::resources) fn describe(tid: c_int) -> RunningThread {
    let name = |of: &str| {
        let name = read(format!("{of}/comm")).ok()?;
        Some(String::from_utf8_lossy(&name).trim_end().to_owned())
    };
    let inherited = [name("/proc/self"), name("/proc/thread-self")];
    // A thread that has not named itself has the name of the one that started it.
    let own = name(&format!("{TASKS}/{tid}"));
    let own = if inherited.contains(&own) { None } else { own };
    RunningThread { name: own.unwrap_or_else(|| UNNAMED.to_owned()), started_at: 0 }
}

fn tids() -> io::Result<Vec<c_int>> {
    // Without hooks, all threads would be among those that no hook follows.
    if cfg!(interposed) { numbers_in(c"/proc/self/task") } else { Ok(Vec::new()) }
}

fn own_tid() -> c_int {
    // SAFETY: `gettid` has no preconditions.
    unsafe { libc::gettid() }
}

/// Whether a thread exists and runs code of the program, unlike the kernel's own workers.
fn runs_code(tid: c_int) -> bool {
    /// Workers of `io_uring` and of other services of the kernel.
    const PF_IO_WORKER: u32 = 0x10;
    const PF_USER_WORKER: u32 = 0x4000;
    let status = match read(format!("{TASKS}/{tid}/stat")) {
        Ok(status) => status,
        Err(error) => return !has_ended(&error),
    };
    let is_over = status_field(&status, 0).is_some_and(|state| matches!(&*state, "Z" | "X"));
    let flags = status_field(&status, 6).and_then(|flags| flags.parse::<u32>().ok());
    let is_kernels = flags.is_some_and(|flags| flags & (PF_IO_WORKER | PF_USER_WORKER) != 0);
    !is_over && !is_kernels
}
