//! Hooks of the functions that end the process without its exit handlers.
//!
//! They are called in signal handlers and in children of `fork` and `vfork` as well, so the hooks
//! neither allocate nor lock.

use std::ffi::c_int;

use crate::journal;
use crate::resources::process::is_borrowed;

hooks! {
    fn _exit(status: c_int) -> c_int, 0, |real| {
        // SAFETY: the function accepts every status.
        unsafe { real(checked(status)) }
    }
    fn _Exit(status: c_int) -> c_int, 0, |real| {
        // SAFETY: the function accepts every status.
        unsafe { real(checked(status)) }
    }
}

/// The status to end with: that of failure in place of success, if a check is open.
fn checked(status: c_int) -> c_int {
    if status == 0 && !is_borrowed() && journal::is_open_in_this_process() {
        return journal::fail_without_handlers();
    }
    status
}
