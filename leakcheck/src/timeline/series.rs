//! A series of readings of bounded length.

use std::time::Duration;

use crate::report::Timeline;

/// The interval between two readings until a series is full.
///
/// A test of a few milliseconds gets a few points, and the recorder takes less than 1 % of a
/// processor.
pub(super) const INTERVAL: Duration = Duration::from_millis(5);

/// The maximum number of points in a series, which is the number of columns of a chart.
const MAX_POINTS: usize = 512;

/// Live bytes at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    /// The time since the region opened.
    at: Duration,
    /// The highest known number of live bytes since the previous point.
    bytes: u64,
}

/// Live bytes of one region.
#[derive(Debug)]
pub(super) struct Series {
    points: Vec<Point>,
    interval: Duration,
    /// The peak that the points contain.
    peak: u64,
}

impl Series {
    /// The series of a region that has just opened. It never allocates again.
    pub(super) fn new() -> Self {
        let mut points = Vec::with_capacity(MAX_POINTS);
        points.push(Point { at: Duration::ZERO, bytes: 0 });
        Self { points, interval: INTERVAL, peak: 0 }
    }

    /// The time of the next reading.
    pub(super) fn due(&self) -> Duration {
        self.points.last().map_or(Duration::ZERO, |point| point.at + self.interval)
    }

    /// Adds a reading. A new peak was reached at some time since the previous reading.
    pub(super) fn add(&mut self, at: Duration, live: u64, peak: u64) {
        if self.points.len() >= MAX_POINTS {
            self.halve();
        }
        let bytes = if peak > self.peak { peak } else { live.min(peak) };
        self.peak = self.peak.max(peak);
        self.points.push(Point { at, bytes });
    }

    /// Merges pairs of points into the higher of the two, except for the first point, and doubles
    /// the interval.
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

    /// The timeline up to a measurement, which is the last point. A peak since the last reading
    /// becomes the point before it.
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

    /// A series that has read each of these values when it was due.
    fn series_of(values: impl Iterator<Item = u64>) -> Series {
        let (mut series, mut peak) = (Series::new(), 0);
        for live in values {
            peak = peak.max(live);
            series.add(series.due(), live, peak);
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
        series.add(5 * MS, 10, 10);
        series.add(10 * MS, 20, 900);
        series.add(15 * MS, 40, 900);
        let timeline = series.until(17 * MS, 0, 900);
        assert_eq!(timeline.bytes, [0, 10, 900, 40, 0]);
        assert_eq!(timeline.ms, [0.0, 5.0, 10.0, 15.0, 17.0]);
    }

    #[test]
    fn a_reading_is_never_above_the_peak() {
        let mut series = Series::new();
        series.add(5 * MS, 100, 100);
        // An update that a thread is passing to its account may be counted twice.
        series.add(10 * MS, 190, 100);
        assert_eq!(series.until(15 * MS, 100, 100).bytes, [0, 100, 100, 100]);
    }

    #[test]
    fn a_full_series_keeps_every_second_point_and_goes_on_half_as_often() {
        let series = series_of(1..MAX_POINTS as u64);
        assert_eq!(series.points.len(), MAX_POINTS);
        assert_eq!(series.interval, INTERVAL);
        let series = series_of(1..MAX_POINTS as u64 + 1);
        assert_eq!(series.interval, 2 * INTERVAL);
        // The first point, the other 511 merged into 256, and the new one.
        assert_eq!(series.points.len(), 1 + 256 + 1);
        let bytes: Vec<u64> = series.points.iter().map(|point| point.bytes).take(4).collect();
        assert_eq!(bytes, [0, 2, 4, 6]);
        assert_eq!(series.points[1].at, 2 * INTERVAL);
    }

    #[test]
    fn a_peak_survives_however_often_a_series_is_halved() {
        let readings = 6 * MAX_POINTS as u64;
        for spike in [1, 7, 256, 511, 512, 513, 3000, readings - 1] {
            let values = (0..readings).map(|n| if n == spike { 1_000_000 } else { 1000 + n % 3 });
            let series = series_of(values);
            let timeline = series.until(series.due(), 5, 1_000_000);
            assert_eq!(timeline.bytes.iter().max(), Some(&1_000_000), "a spike at {spike}");
            assert!(timeline.bytes.len() <= MAX_POINTS + 2);
            assert_eq!((timeline.ms[0], timeline.bytes[0]), (0.0, 0));
            assert_eq!(timeline.bytes.last(), Some(&5));
            assert!(timeline.ms.is_sorted(), "{:?}", timeline.ms);
            assert!(timeline.interval_ms > 5);
        }
    }

    #[test]
    fn a_series_never_takes_more_memory() {
        let series = series_of((0..10 * MAX_POINTS as u64).rev());
        assert_eq!(series.points.capacity(), Series::new().points.capacity());
    }
}
