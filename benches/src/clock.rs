//! Measures how long commands take.

use std::ops::AddAssign;
use std::process::Command;
use std::time::Instant;

use crate::Result;
use crate::cargo::{finish, output};

/// Wall-clock and processor time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Time {
    pub(crate) wall: f64,
    /// Hardly affected by other load on the machine. The same as `wall` on systems without `getrusage`.
    pub(crate) cpu: f64,
}

impl AddAssign for Time {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// The stdout of a command, and the time that it took, including its child processes.
pub(crate) fn timed(command: &mut Command) -> Result<(String, Time)> {
    time_of(|| output(command))
}

/// The time that a command took, including its child processes, whatever its exit status.
pub(crate) fn timed_to_the_end(command: &mut Command) -> Result<Time> {
    Ok(time_of(|| finish(command))?.1)
}

fn time_of<T>(run: impl FnOnce() -> Result<T>) -> Result<(T, Time)> {
    let (start, before) = (Instant::now(), cpu_time_of_children());
    let result = run()?;
    let wall = start.elapsed().as_secs_f64();
    let cpu = cpu_time_of_children().zip(before).map_or(wall, |(after, before)| after - before);
    Ok((result, Time { wall, cpu }))
}

/// The processor time of all child processes that have ended.
#[cfg(unix)]
fn cpu_time_of_children() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;

    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let spent = usage.user_time() + usage.system_time();
    Some(spent.num_microseconds() as f64 / 1e6)
}

#[cfg(not(unix))]
fn cpu_time_of_children() -> Option<f64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_finished_command_has_used_processor_time() {
        let (text, time) = timed(Command::new("rustc").arg("--version")).unwrap();
        assert!(text.starts_with("rustc "), "{text}");
        assert!(time.cpu > 0.0, "{time:?}");
    }
}
