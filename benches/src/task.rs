//! What programs are given to do.

/// A workload with what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// The head of its column.
    pub(crate) head: String,
    /// As the programs call it.
    pub(crate) workload: &'static str,
    pub(crate) size: u64,
    /// Threads, calls or call sites.
    pub(crate) parameter: u64,
    /// How often a run does it, for warmth once more.
    pub(crate) passes: u64,
}

impl Task {
    /// Enough to see whether a program runs.
    pub(crate) const PROBE: Self =
        Self { head: String::new(), workload: "churn", size: 1, parameter: 1, passes: 1 };

    pub(crate) fn new(head: &str, workload: &'static str, size: u64, parameter: u64) -> Self {
        Self { head: head.to_owned(), workload, size, parameter, passes: 10 }
    }

    /// With fewer passes, for what takes long.
    pub(crate) fn passes(self, passes: u64) -> Self {
        Self { passes, ..self }
    }

    /// W1 to W6.
    pub(crate) fn workloads() -> Vec<Self> {
        vec![
            Self::new("W1", "churn", 200_000, 1),
            Self::new("W2", "vectors", 40, 0),
            Self::new("W3", "map", 1_000_000, 0).passes(2),
            Self::new("W4", "churn", 200_000, 2),
            Self::new("W5", "channel", 100_000, 0),
            Self::new("W6", "json", 4, 0),
        ]
    }

    /// What it is for a rival that is given less to do.
    pub(crate) fn size_for(&self, divisor: u64) -> u64 {
        (self.size / divisor).max(1)
    }
}

/// A number with its digits in threes.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_in_threes() {
        assert_eq!(
            [10, 1_000, 100_000, 1_000_000].map(grouped),
            ["10", "1,000", "100,000", "1,000,000"]
        );
    }

    #[test]
    fn who_is_slow_gets_less_to_do_but_never_nothing() {
        let task = Task::new("W6", "json", 20, 0);
        assert_eq!([1, 10, 50].map(|divisor| task.size_for(divisor)), [20, 2, 1]);
    }
}
