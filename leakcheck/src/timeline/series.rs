//! A series of readings that stays as short as it is meant to be.

use std::time::Duration;

use crate::report::Timeline;

/// Between two readings, as long as a series is not full. The chart of a test that takes some
/// milliseconds has a few points then, and the thread that reads takes well under one hundredth of
/// a processor.
pub(super) const INTERVAL: Duration = Duration::from_millis(5);

/// The most readings in a series: as many as a chart has columns.
const MOST: usize = 512;

/// Live bytes at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    /// Since the region opened.
    at: Duration,
    /// The most that is known to have been live since the point before.
    bytes: u64,
}

/// Live bytes of one region.
#[derive(Debug)]
pub(super) struct Series {
    points: Vec<Point>,
    interval: Duration,
    /// The peak as far as it is in the points.
    peak: u64,
}

impl Series {
    /// Of a region that has just opened. All the memory that it will take is taken here.
    pub(super) fn new() -> Self {
        let mut points = Vec::with_capacity(MOST);
        points.push(Point { at: Duration::ZERO, bytes: 0 });
        Self { points, interval: INTERVAL, peak: 0 }
    }

    /// When it is to be read next.
    pub(super) fn due(&self) -> Duration {
        self.points.last().map_or(Duration::ZERO, |point| point.at + self.interval)
    }

    /// Adds a reading. A peak that is new was there at some time since the last one.
    pub(super) fn see(&mut self, at: Duration, live: u64, peak: u64) {
        if self.points.len() >= MOST {
            self.halve();
        }
        let bytes = if peak > self.peak { peak } else { live.min(peak) };
        self.peak = self.peak.max(peak);
        self.points.push(Point { at, bytes });
    }

    /// Keeps of each two points the higher one, but for the first, and reads half as often from
    /// here on.
    fn halve(&mut self) {
        let mut kept = 1;
        for first in (1..self.points.len()).step_by(2) {
            let earlier = self.points[first];
            let later = *self.points.get(first + 1).unwrap_or(&earlier);
            self.points[kept] = if later.bytes >= earlier.bytes { later } else { earlier };
            kept += 1;
        }
        self.points.truncate(kept);
        self.interval *= 2;
    }

    /// What was seen until a region was measured. The last point is what was live then; a peak
    /// since the last reading comes before it.
    pub(super) fn until(&self, at: Duration, live: u64, peak: u64) -> Timeline {
        let end = Point { at, bytes: live };
        let new_peak = Point { at, bytes: peak };
        let new_peak = (peak > self.peak.max(live)).then_some(new_peak);
        let points = self.points.iter().chain(new_peak.as_ref()).chain([&end]);
        let interval_ms = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        let reading = |point: &Point| (point.at.as_micros() as f64 / 1e3, point.bytes);
        Timeline::new(interval_ms, points.map(reading))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Reads a series whenever it is due, until it has seen so many values.
    fn of(values: impl Iterator<Item = u64>) -> Series {
        let (mut series, mut peak) = (Series::new(), 0);
        for live in values {
            peak = peak.max(live);
            series.see(series.due(), live, peak);
        }
        series
    }

    #[test]
    fn a_short_series_has_its_beginning_its_peak_and_its_end() {
        let timeline = Series::new().until(MS / 2, 30, 700);
        assert_eq!((timeline.ms, timeline.bytes), (vec![0.0, 0.5, 0.5], vec![0, 700, 30]));
        assert_eq!(timeline.interval_ms, 5);
        let timeline = Series::new().until(MS, 30, 30);
        assert_eq!((timeline.ms, timeline.bytes), (vec![0.0, 1.0], vec![0, 30]));
    }

    #[test]
    fn a_peak_between_two_readings_is_seen() {
        let mut series = Series::new();
        series.see(5 * MS, 10, 10);
        series.see(10 * MS, 20, 900);
        series.see(15 * MS, 40, 900);
        let timeline = series.until(17 * MS, 0, 900);
        assert_eq!(timeline.bytes, [0, 10, 900, 40, 0]);
        assert_eq!(timeline.ms, [0.0, 5.0, 10.0, 15.0, 17.0]);
    }

    #[test]
    fn a_reading_is_never_above_the_peak() {
        let mut series = Series::new();
        series.see(5 * MS, 100, 100);
        // What a thread was just telling its account may be read twice.
        series.see(10 * MS, 190, 100);
        assert_eq!(series.until(15 * MS, 100, 100).bytes, [0, 100, 100, 100]);
    }

    #[test]
    fn a_full_series_keeps_every_second_point_and_goes_on_half_as_often() {
        let series = of(1..MOST as u64);
        assert_eq!(series.points.len(), MOST);
        assert_eq!(series.interval, INTERVAL);
        let series = of(1..MOST as u64 + 1);
        assert_eq!(series.interval, 2 * INTERVAL);
        // The first, of 511 the higher ones of each two and the one that is left over, and the new
        // one.
        assert_eq!(series.points.len(), 1 + 256 + 1);
        let bytes: Vec<u64> = series.points.iter().map(|point| point.bytes).take(4).collect();
        assert_eq!(bytes, [0, 2, 4, 6]);
        assert_eq!(series.points[1].at, 2 * INTERVAL);
    }

    #[test]
    fn a_peak_survives_however_often_a_series_is_halved() {
        let readings = 6 * MOST as u64;
        for spike in [1, 7, 256, 511, 512, 513, 3000, readings - 1] {
            let values = (0..readings).map(|n| if n == spike { 1_000_000 } else { 1000 + n % 3 });
            let series = of(values);
            let timeline = series.until(series.due(), 5, 1_000_000);
            assert_eq!(timeline.bytes.iter().max(), Some(&1_000_000), "a spike at {spike}");
            assert!(timeline.bytes.len() <= MOST + 2);
            assert_eq!((timeline.ms[0], timeline.bytes[0]), (0.0, 0));
            assert_eq!(timeline.bytes.last(), Some(&5));
            assert!(timeline.ms.is_sorted(), "{:?}", timeline.ms);
            assert!(timeline.interval_ms > 5);
        }
    }

    #[test]
    fn a_series_never_takes_more_memory() {
        let series = of((0..10 * MOST as u64).rev());
        assert_eq!(series.points.capacity(), Series::new().points.capacity());
    }
}
