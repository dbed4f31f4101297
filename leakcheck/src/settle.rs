//! Waiting for what is just ending: threads on their way out, values that another thread drops.

use std::thread::sleep;
use std::time::Duration;

/// The back-off starts here and doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A bounded wait with back-off. What the looks in between take does not count: the first one may
/// have to read debug information for longer than the whole wait is meant to be.
#[derive(Debug)]
pub(crate) struct Waiting {
    left: Duration,
    pause: Duration,
}

impl Waiting {
    pub(crate) fn new(milliseconds: u64) -> Self {
        Self { left: Duration::from_millis(milliseconds), pause: FIRST_PAUSE }
    }

    /// Pauses, and says whether another look is worth it: `false` when the time is over.
    pub(crate) fn goes_on(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let pause = self.pause.min(self.left);
        sleep(pause);
        self.left -= pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_means_no_second_look() {
        assert!(!Waiting::new(0).goes_on());
    }

    #[test]
    fn it_ends() {
        let mut waiting = Waiting::new(20);
        let mut looks = 0;
        while waiting.goes_on() {
            looks += 1;
        }
        assert_eq!(looks, 5, "after 1, 2, 4 and 8 milliseconds and the 5 that are left");
    }
}
