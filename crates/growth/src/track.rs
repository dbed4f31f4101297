//! One figure over the batches of a repetition.

/// The course of a figure in one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// How many calls it has.
    pub(crate) calls: u64,
    /// The lowest that was read.
    pub(crate) low: i64,
    /// After three quarters of the calls.
    pub(crate) late: i64,
    /// How many readings were above the one before.
    pub(crate) rises: u32,
    /// The largest difference between a reading and a later, lower one.
    pub(crate) fall: i64,
    pub(crate) end: i64,
}

/// One figure over the batches of a repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// After the first call.
    first: i64,
    /// After the warm-up.
    start: i64,
    spans: Vec<Span>,
    now: Option<Open>,
}

/// The batch under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    last: i64,
    low: i64,
    late: i64,
    rises: u32,
    high: i64,
    fall: i64,
}

/// How often the figures are read in a long batch. Positions in a batch are counted in these parts.
pub(crate) const READINGS: u64 = 16;

/// The last batches.
const RECENT: usize = 4;

impl Track {
    /// The track of a figure that was 0 in the batches before.
    pub(crate) fn of_new(batches: &[u64]) -> Self {
        let span = |&calls: &u64| Span { calls, ..Span::default() };
        Self { spans: batches.iter().map(span).collect(), ..Self::default() }
    }

    pub(crate) fn record_warm_up(&mut self, value: i64, is_first: bool) {
        if is_first {
            self.first = value;
        }
        self.start = value;
    }

    /// Takes a reading at a position in the batch under way, in sixteenths of it.
    pub(crate) fn record(&mut self, value: i64, position: u64) {
        let last = self.end();
        let now = self.now.get_or_insert(Open {
            last,
            low: i64::MAX,
            late: last,
            rises: 0,
            high: last,
            fall: 0,
        });
        now.low = now.low.min(value);
        if position * 4 <= READINGS * 3 {
            now.late = value;
        }
        now.rises += u32::from(value > now.last);
        now.high = now.high.max(value);
        now.fall = now.fall.max(now.high - value);
        now.last = value;
    }

    pub(crate) fn end_batch(&mut self, calls: u64) {
        let end = self.end();
        let span = self.now.take().map_or(
            Span { calls, low: end, late: end, end, ..Span::default() },
            |now| Span {
                calls,
                low: now.low,
                late: now.late,
                rises: now.rises,
                fall: now.fall,
                end: now.last,
            },
        );
        self.spans.push(span);
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The value at the end of the last finished batch, or after the warm-up.
    pub fn end(&self) -> i64 {
        self.spans.last().map_or(self.start, |span| span.end)
    }

    /// Subtracts another track, which is a part of this one.
    pub(crate) fn take_out(&mut self, part: &Self) {
        self.first -= part.first;
        self.start -= part.start;
        for (span, part) in self.spans.iter_mut().zip(&part.spans) {
            span.low -= part.low;
            span.late -= part.late;
            span.end -= part.end;
        }
    }

    /// The growth since the warm-up.
    pub fn growth(&self) -> i64 {
        self.end() - self.start
    }

    /// The growth in each batch.
    pub(crate) fn by_batch(&self) -> Vec<i64> {
        let ends = self.spans.iter().map(|span| span.end);
        let before = std::iter::once(self.start).chain(ends.clone());
        ends.zip(before).map(|(end, before)| end - before).collect()
    }

    /// Growth per call over the last batches.
    pub(crate) fn recent_rate(&self) -> f64 {
        let from = self.spans.len().saturating_sub(RECENT);
        let calls: u64 = self.spans[from..].iter().map(|span| span.calls).sum();
        self.by_batch()[from..].iter().sum::<i64>() as f64 / calls.max(1) as f64
    }

    /// The number of calls at the end of the batch, or of the warm-up, in which the figure last exceeded
    /// all earlier values; `None` if it has not since the first call.
    pub(crate) fn last_growth(&self, warmup: u64) -> Option<u64> {
        let mut highest = if warmup > 0 { self.first } else { 0 };
        let (mut calls, mut last) = (warmup, None);
        if self.start > highest {
            (highest, last) = (self.start, Some(warmup));
        }
        for span in &self.spans {
            calls += span.calls;
            if span.end > highest {
                (highest, last) = (span.end, Some(calls));
            }
        }
        last
    }
}
