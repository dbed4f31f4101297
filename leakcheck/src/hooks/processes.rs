//! Hooks of the functions that start child processes.
//!
//! `vfork` has none: the child returns first and reuses the stack frame of any function in between.
//! Children started by it are found in `/proc`, without a call stack.

use std::ffi::{c_char, c_int};

use leakcheck_unwind::Registers;
use libc::{pid_t, posix_spawn_file_actions_t, posix_spawnattr_t};

use crate::resources::calls_in_progress::STARTING;
use crate::resources::started_children::started;

type Actions = *const posix_spawn_file_actions_t;
type Attributes = *const posix_spawnattr_t;
type Strings = *const *mut c_char;

/// Starts a child by the real function and records it. The id is written to a local variable first,
/// because the caller may pass a null pointer for it.
macro_rules! spawning {
    ($pid:ident, |$id:ident| $call:expr) => {{
        let mut child: pid_t = 0;
        let $id = &raw mut child;
        let is_counted = STARTING.begin();
        // SAFETY: the caller upholds the contract of the function. The only changed argument points
        // to `child`, which is writable.
        let error = unsafe { $call };
        if error == 0 {
            started(child, &Registers::current());
            if !$pid.is_null() {
                // SAFETY: the caller must pass null or a pointer to which the id can be written.
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
        // SAFETY: the caller upholds the contract of `fork`.
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
