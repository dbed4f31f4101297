//! Records who starts child processes.
//!
//! `vfork` has no hook: its child returns from it first, and a function in between would be left
//! twice by one call. Children that it starts are found, without their call stack.

use std::ffi::{c_char, c_int};

use leakcheck_unwind::Registers;
use libc::{pid_t, posix_spawn_file_actions_t, posix_spawnattr_t};

use crate::resources::calls_in_progress::STARTING;
use crate::resources::started_children::started;

type Actions = *const posix_spawn_file_actions_t;
type Attributes = *const posix_spawnattr_t;
type Strings = *const *mut c_char;

/// Starts a child by the real function, which writes its id to the place that it is given, and
/// records the child, whether or not the caller wants to know its id.
macro_rules! spawning {
    ($pid:ident, |$place:ident| $call:expr) => {{
        let mut child: pid_t = 0;
        let $place = &raw mut child;
        let is_counted = STARTING.begin();
        // SAFETY: the caller's promise, with a place of our own for the child's id.
        let error = unsafe { $call };
        if error == 0 {
            started(child, &Registers::current());
            if !$pid.is_null() {
                // SAFETY: the caller gives null or a place for the id.
                unsafe { $pid.write(child) };
            }
        }
        STARTING.end(is_counted);
        error
    }};
}

hooks! {
    fn fork() -> pid_t, -1, |real| {
        let is_counted = STARTING.begin();
        // SAFETY: the caller's promise, unchanged.
        let pid = unsafe { real() };
        if pid != 0 {
            started(pid, &Registers::current());
            STARTING.end(is_counted);
        }
        pid
    }
    fn posix_spawn(
        pid: *mut pid_t,
        path: *const c_char,
        actions: Actions,
        attributes: Attributes,
        arguments: Strings,
        environment: Strings
    ) -> c_int, libc::ENOSYS,
        |real| spawning!(pid, |child| real(child, path, actions, attributes, arguments, environment))
    fn posix_spawnp(
        pid: *mut pid_t,
        name: *const c_char,
        actions: Actions,
        attributes: Attributes,
        arguments: Strings,
        environment: Strings
    ) -> c_int, libc::ENOSYS,
        |real| spawning!(pid, |child| real(child, name, actions, attributes, arguments, environment))
}
