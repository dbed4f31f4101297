//! What was counted, as tables.

use super::tool::Tool;
use crate::corpus::cases::{Case, Kind, Variant};

/// What was counted.
pub(super) struct Tally {
    runs: u32,
    counts: Vec<Count>,
}

/// In how many runs a tool told of a leak.
struct Count {
    case: &'static Case,
    variant: Variant,
    tool: Tool,
    leaks: u32,
}

/// How good a tool is over all cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// Runs with a leak that were told of it, of so many.
    pub(super) found: u32,
    pub(super) leaky: u32,
    /// Runs without a leak that were told of one, of so many.
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

    /// The leak of the C heap shows in no test scope, so it counts neither for nor against anybody.
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
    /// How much of what it tells is true.
    pub(super) fn precision(self) -> Option<f64> {
        ratio(self.found, self.found + self.alarms)
    }

    /// How much of what is true it tells.
    pub(super) fn recall(self) -> Option<f64> {
        ratio(self.found, self.leaky)
    }
}

fn ratio(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| f64::from(part) / f64::from(whole))
}

/// Rounded down, so that only what is perfect looks so.
pub(super) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or("–".to_owned(), |ratio| format!("{:.1} %", (ratio * 1000.0).floor() / 10.0))
}
