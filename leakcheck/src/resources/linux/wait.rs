//! Asks for children without waiting for them: whoever started them may still do that.

use std::ffi::c_int;
use std::mem::zeroed;

/// What has become of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// Over, and nobody has waited for it.
    Exited,
}

/// `None` for what is no child, or was waited for.
pub(super) fn state(pid: c_int) -> Option<State> {
    ask(libc::P_PID, pid)
}

/// Whether there is this child.
pub(super) fn is_child(pid: c_int) -> bool {
    state(pid).is_some()
}

/// Whether there is any.
pub(super) fn any_child() -> bool {
    ask(libc::P_ALL, 0).is_some()
}

fn ask(which: libc::idtype_t, pid: c_int) -> Option<State> {
    // The last one: children that were started to signal nothing when they end.
    const HOW: c_int = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: all zeros is a value of the type.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    // SAFETY: the kernel writes a whole structure there, and takes nothing away.
    if unsafe { libc::waitid(which, pid as libc::id_t, &mut info, HOW) } != 0 {
        return None;
    }
    // SAFETY: it was written by `waitid`, or is zero as before.
    let exited = unsafe { info.si_pid() } != 0;
    Some(if exited { State::Exited } else { State::Running })
}
