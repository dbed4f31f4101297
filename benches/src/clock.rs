//! How long commands take.

use std::ops::AddAssign;
use std::process::Command;
use std::time::Instant;

use crate::Result;
use crate::cargo::output;

/// Time that passed and time that processors spent, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Time {
    pub(crate) wall: f64,
    /// What else runs on the machine hardly changes it. The same as `wall` where the system does not
    /// tell.
    pub(crate) cpu: f64,
}

impl AddAssign for Time {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// What a command printed, and the time that it took with all that it started.
pub(crate) fn timed(command: &mut Command) -> Result<(String, Time)> {
    let (start, before) = (Instant::now(), children());
    let text = output(command)?;
    let wall = start.elapsed().as_secs_f64();
    let cpu = children().zip(before).map_or(wall, |(after, before)| after - before);
    Ok((text, Time { wall, cpu }))
}

/// What children that have ended have spent so far.
#[cfg(unix)]
fn children() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;

    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let spent = usage.user_time() + usage.system_time();
    Some(spent.num_microseconds() as f64 / 1e6)
}

#[cfg(not(unix))]
fn children() -> Option<f64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_ended_has_spent_time() {
        let (text, time) = timed(Command::new("rustc").arg("--version")).unwrap();
        assert!(text.starts_with("rustc "), "{text}");
        assert!(time.cpu > 0.0, "{time:?}");
    }
}
