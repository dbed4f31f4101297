//! Waits for threads that are ending and for values that other threads are dropping.

use std::thread::sleep;
use std::time::Duration;

/// The back-off starts here and doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A bounded wait with back-off. Time spent measuring is not charged to the wait: the first reading
/// may parse debug information for longer than the whole wait.
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

    /// A wait of a number of shortest pauses.
    pub(crate) fn short_pauses(number: u32) -> Self {
        Self { left: FIRST_PAUSE * number, pause: FIRST_PAUSE, longest: FIRST_PAUSE }
    }

    /// Splits off a part of this wait.
    pub(crate) fn part(&mut self, of: u32) -> Self {
        let part = self.left / of;
        self.left -= part;
        Self { left: part, pause: FIRST_PAUSE, longest: LONGEST_PAUSE }
    }

    /// Returns the unused rest of a part.
    pub(crate) fn give_back(&mut self, part: Self) {
        self.left += part.left;
    }

    /// Pauses. `false` when the time is over.
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
