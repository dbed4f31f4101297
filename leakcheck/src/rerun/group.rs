//! A process and all those that it has started.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// A process that leads a process group of its own. All of the group is killed on drop.
#[derive(Debug)]
pub(super) struct Group(Child);

impl Group {
    /// # Errors
    ///
    /// Returns the error of [`Command::spawn`].
    pub(super) fn spawn(command: &mut Command) -> std::io::Result<Self> {
        command.process_group(0).spawn().map(Self)
    }

    /// Whether the first process has ended.
    pub(super) fn has_ended(&self) -> bool {
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: all zeros is a valid `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` outlives the call. The process is not waited for, so its id stays taken.
        let result = unsafe { libc::waitid(libc::P_PID, self.0.id(), &mut info, options) };
        // SAFETY: the kernel has set the field, or left it 0 where the process still runs.
        result != 0 || unsafe { info.si_pid() } != 0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: the first process has not been waited for, so no other group has its id.
        unsafe { libc::kill(-(self.0.id() as libc::pid_t), libc::SIGKILL) };
        _ = self.0.wait();
    }
}
