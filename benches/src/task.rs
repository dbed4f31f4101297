//! The tasks that programs run.

/// A workload and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// The header of its column.
    pub(crate) head: String,
    /// The name that the programs know it by.
    pub(crate) workload: &'static str,
    pub(crate) size: u64,
    /// The number of threads, calls or call sites.
    pub(crate) parameter: u64,
    /// The number of passes in a run, after the warm-up pass.
    pub(crate) passes: u64,
}

impl Task {
    /// The smallest task, to see whether a program runs.
    pub(crate) const PROBE: Self =
        Self { head: String::new(), workload: "churn", size: 1, parameter: 1, passes: 1 };

    pub(crate) fn new(head: &str, workload: &'static str, size: u64, parameter: u64) -> Self {
        Self { head: head.to_owned(), workload, size, parameter, passes: 10 }
    }

    /// Sets the number of passes.
    pub(crate) fn passes(self, passes: u64) -> Self {
        Self { passes, ..self }
    }

    /// The workloads W1 to W6.
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

    /// The size for a rival with this divisor.
    pub(crate) fn size_for(&self, divisor: u64) -> u64 {
        (self.size / divisor).max(1)
    }
}

/// A number with its digits grouped by three.
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
    fn digits_are_grouped_by_three() {
        assert_eq!(
            [10, 1_000, 100_000, 1_000_000].map(grouped),
            ["10", "1,000", "100,000", "1,000,000"]
        );
    }

    #[test]
    fn a_slow_rival_gets_a_smaller_task_but_never_an_empty_one() {
        let task = Task::new("W6", "json", 20, 0);
        assert_eq!([1, 10, 50].map(|divisor| task.size_for(divisor)), [20, 2, 1]);
    }
}
