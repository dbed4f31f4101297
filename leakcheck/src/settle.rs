//! Waits for threads that are ending and for values that other threads are dropping.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// The back-off starts here and doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// How long a check with a limit of the C heap waits for threads that have just started, in
/// milliseconds. They run as soon as the scheduler lets them.
const START_OF_THREADS: u64 = 5000;
/// The same where there is no limit.
const SHORT_START_OF_THREADS: u64 = 100;

/// A bounded wait with back-off. Time spent measuring is not charged to the wait: the first reading
/// may parse debug information for longer than the whole wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    left: Duration,
    pause: Duration,
    longest: Duration,
    /// When the last pause was over.
    resumed: Option<Instant>,
}

impl Waiting {
    pub(crate) fn new(milliseconds: u64) -> Self {
        Self {
            left: Duration::from_millis(milliseconds),
            pause: FIRST_PAUSE,
            longest: LONGEST_PAUSE,
            resumed: None,
        }
    }

    /// A wait for threads that have just started, where the C heap has a limit or has none.
    pub(crate) fn for_threads(is_limited: bool) -> Self {
        Self::new(if is_limited { START_OF_THREADS } else { SHORT_START_OF_THREADS })
    }

    /// A wait of a number of shortest pauses.
    pub(crate) fn short_pauses(number: u32) -> Self {
        Self { left: FIRST_PAUSE * number, pause: FIRST_PAUSE, longest: FIRST_PAUSE, resumed: None }
    }

    /// Splits off a part of this wait.
    pub(crate) fn part(&mut self, of: u32) -> Self {
        let part = self.left / of;
        self.left -= part;
        Self { left: part, pause: FIRST_PAUSE, longest: LONGEST_PAUSE, resumed: None }
    }

    /// Returns the unused rest of a part.
    pub(crate) fn give_back(&mut self, part: Self) {
        self.left += part.left;
    }

    /// Pauses for at least as long as the measurement since the last pause took, which is most of
    /// the time if there are many call sites. Returns `false` when the time is over.
    pub(crate) fn goes_on(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let measuring = self.resumed.map_or(Duration::ZERO, |resumed| resumed.elapsed());
        self.pause_for(measuring, sleep);
        self.resumed = Some(Instant::now());
        true
    }

    fn pause_for(&mut self, measuring: Duration, sleep: impl FnOnce(Duration)) {
        let pause = self.pause.max(measuring).min(self.left);
        sleep(pause);
        self.left -= pause;
        self.pause = (self.pause * 2).min(self.longest);
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
        while !waiting.left.is_zero() {
            waiting.pause_for(Duration::ZERO, |_| looks += 1);
        }
        assert_eq!(looks, 5, "after 1, 2, 4 and 8 milliseconds and the 5 that are left");
    }

    #[test]
    fn a_pause_is_as_long_as_a_measurement() {
        let mut waiting = Waiting::new(500);
        let mut readings = 0;
        while !waiting.left.is_zero() {
            waiting.pause_for(Duration::from_millis(100), |_| readings += 1);
        }
        assert_eq!(readings, 5);
    }
}
