//! The states of child processes, read without reaping them: the program may still wait for them.

use std::ffi::c_int;
use std::io;
use std::mem::zeroed;

/// The state of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// Terminated and not waited for.
    Exited,
}

/// The state of a child, or `None` if `pid` is not a child or has been waited for.
///
/// # Errors
///
/// Returns an error where the system does not answer, as under a filter of system calls.
pub(super) fn state(pid: c_int) -> io::Result<Option<State>> {
    query(libc::P_PID, pid)
}

/// Whether `pid` is, or may be, a child that has not been waited for.
pub(super) fn is_child(pid: c_int) -> bool {
    !matches!(state(pid), Ok(None))
}

/// Whether the process has a child that has not been waited for.
///
/// # Errors
///
/// Returns an error where the system does not answer, as under a filter of system calls.
pub(super) fn any_child() -> io::Result<bool> {
    query(libc::P_ALL, 0).map(|state| state.is_some())
}

fn query(which: libc::idtype_t, pid: c_int) -> io::Result<Option<State>> {
    // `__WALL` includes children that send no signal when they terminate.
    const OPTIONS: c_int = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: the structure consists of integers and a union of such, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    // SAFETY: `info` has room for the structure.
    if unsafe { libc::waitid(which, pid as libc::id_t, &mut info, OPTIONS) } != 0 {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(libc::ECHILD) { Ok(None) } else { Err(error) };
    }
    // SAFETY: `waitid` has written the fields of a child, or left the zeros.
    let exited = unsafe { info.si_pid() } != 0;
    Ok(Some(if exited { State::Exited } else { State::Running }))
}
