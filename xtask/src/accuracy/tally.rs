//! Counts results and prints them as tables.

use super::tool::Tool;
use crate::corpus::cases::{Case, Kind, Variant};

/// The counted results.
pub(super) struct Tally {
    runs: u32,
    counts: Vec<Count>,
}

/// The number of runs in which a tool reported a leak.
struct Count {
    case: &'static Case,
    variant: Variant,
    tool: Tool,
    leaks: u32,
}

/// The accuracy of a tool over all cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// True positives, and the number of runs with a leak.
    pub(super) found: u32,
    pub(super) leaky: u32,
    /// False positives, and the number of runs without a leak.
    pub(super) alarms: u32,
    pub(super) clean: u32,
}

impl Tally {
    pub(super) fn new(runs: u32) -> Self {
        Self { runs, counts: Vec::new() }
    }

    pub(super) fn runs(&self) -> u32 {
        self.runs
    }

    pub(super) fn count(&mut self, case: &'static Case, variant: Variant, tool: Tool, leaks: u32) {
        self.counts.push(Count { case, variant, tool, leaks });
    }

    pub(super) fn tables(&self) -> String {
        let (leaks, clean) = (self.of(true), self.of(false));
        format!(
            "### Over all cases\n\n{}\n\n### Leaks: runs that were told of it, of {runs}\n\n{}\n\n\
             ### No leak: runs that were told of one all the same, of {runs}\n\n{}",
            self.scores(),
            leaks,
            clean,
            runs = self.runs,
        )
    }

    fn scores(&self) -> String {
        let mut text = "| | leaks found | false alarms | precision | recall |\n\
                        |---|---:|---:|---:|---:|\n"
            .to_owned();
        for tool in Tool::ALL.into_iter().filter(|tool| self.has(*tool)) {
            let score = self.score(tool);
            let Score { found, leaky, alarms, clean } = score;
            text += &format!(
                "| {} | {found} of {leaky} | {alarms} of {clean} | {} | {} |\n",
                tool.name(),
                percent(score.precision()),
                percent(score.recall()),
            );
        }
        text.trim_end().to_owned()
    }

    fn has(&self, tool: Tool) -> bool {
        self.counts.iter().any(|count| count.tool == tool)
    }

    /// The leak in the C heap is not visible in test scope, so it does not count for any tool.
    pub(super) fn score(&self, tool: Tool) -> Score {
        let mut score = Score::default();
        for count in self.counts.iter().filter(|count| count.tool == tool) {
            if count.variant != Variant::Leaky {
                score.alarms += count.leaks;
                score.clean += self.runs;
            } else if !matches!(count.case.kind, Kind::Unseen) {
                score.found += count.leaks;
                score.leaky += self.runs;
            }
        }
        score
    }

    /// The rows of the leaky variants, or of the others.
    fn of(&self, leaky: bool) -> String {
        let tools: Vec<Tool> = Tool::ALL.into_iter().filter(|tool| self.has(*tool)).collect();
        let names: Vec<&str> = tools.iter().map(|tool| tool.head()).collect();
        let mut text =
            format!("| | {} |\n|---|{}\n", names.join(" | "), "---:|".repeat(names.len()));
        let mut rows: Vec<(&str, Variant)> = Vec::new();
        for count in self.counts.iter().filter(|it| (it.variant == Variant::Leaky) == leaky) {
            if !rows.contains(&(count.case.name, count.variant)) {
                rows.push((count.case.name, count.variant));
            }
        }
        for row in rows {
            let cells: Vec<String> = tools.iter().map(|tool| self.cell(row, *tool)).collect();
            text += &format!("| `{}` | {} |\n", row.0, cells.join(" | "));
        }
        text.trim_end().to_owned()
    }

    fn cell(&self, (name, variant): (&str, Variant), tool: Tool) -> String {
        let count = self
            .counts
            .iter()
            .find(|it| it.case.name == name && it.variant == variant && it.tool == tool);
        count.map_or("–".to_owned(), |count| count.leaks.to_string())
    }
}

impl Score {
    /// Precision: the share of reported leaks that are real.
    pub(super) fn precision(self) -> Option<f64> {
        ratio(self.found, self.found + self.alarms)
    }

    /// Recall: the share of real leaks that are reported.
    pub(super) fn recall(self) -> Option<f64> {
        ratio(self.found, self.leaky)
    }
}

fn ratio(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| f64::from(part) / f64::from(whole))
}

/// Rounded down, so that only a perfect result is shown as perfect.
pub(super) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or("–".to_owned(), |ratio| format!("{:.1} %", (ratio * 1000.0).floor() / 10.0))
}
