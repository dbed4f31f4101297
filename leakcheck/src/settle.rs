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
    longest: Duration,
}

impl Waiting {
    pub(crate) fn new(milliseconds: u64) -> Self {
        Self {
            left: Duration::from_millis(milliseconds),
            pause: FIRST_PAUSE,
            longest: LONGEST_PAUSE,
        }
    }

    /// A wait of so many of the shortest pauses.
    pub(crate) fn short_pauses(number: u32) -> Self {
        Self { left: FIRST_PAUSE * number, pause: FIRST_PAUSE, longest: FIRST_PAUSE }
    }

    /// A part of this wait, for the first of several looks.
    pub(crate) fn part(&mut self, of: u32) -> Self {
        let part = self.left / of;
        self.left -= part;
        Self { left: part, pause: FIRST_PAUSE, longest: LONGEST_PAUSE }
    }

    /// What a part has left over.
    pub(crate) fn give_back(&mut self, part: Self) {
        self.left += part.left;
    }

    /// Pauses, and says whether another look is worth it: `false` when the time is over.
    pub(crate) fn goes_on(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let pause = self.pause.min(self.left);
        sleep(pause);
        self.left -= pause;
        self.pause = (self.pause * 2).min(self.longest);
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
