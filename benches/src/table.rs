//! Markdown tables, and the figures in them.

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    lines: Vec<String>,
}

impl Table {
    /// A table with a header. The first column is left-aligned, the others are right-aligned.
    pub(crate) fn new<S: AsRef<str>>(head: &[S]) -> Self {
        let mut table = Self { lines: Vec::new() };
        table.row(head);
        let right = "---:|".repeat(head.len() - 1);
        table.lines.push(format!("|---|{right}"));
        table
    }

    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        // An empty cell would have two spaces otherwise.
        self.lines.push(format!("| {} |", cells.join(" | ")).replace("  ", " "));
    }

    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// A ratio, with two decimals if it is small.
pub(crate) fn ratio(ratio: f64) -> String {
    if ratio >= 9.95 { format!("{ratio:.0}") } else { format!("{ratio:.2}") }
}

/// A time, in the unit that fits it.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 9.95 => format!("{n:.1} ns"),
        n if n < 9_950.0 => format!("{n:.0} ns"),
        n if n < 9_950_000.0 => format!("{:.0} µs", n / 1e3),
        n => format!("{:.0} ms", n / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_below_its_header() {
        let mut table = Table::new(&["", "W1"]);
        table.row(&["System", "1.00"]);
        assert_eq!(table.text(), "| | W1 |\n|---|---:|\n| System | 1.00 |");
    }

    #[test]
    fn figures_have_two_or_three_significant_digits() {
        assert_eq!([1.0, 9.94, 9.96, 133.4].map(ratio), ["1.00", "9.94", "10", "133"]);
        assert_eq!([1.23, 51.2, 12_345.0, 7.2e7].map(time), ["1.2 ns", "51 ns", "12 µs", "72 ms"]);
    }
}
