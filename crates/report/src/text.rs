//! The text report: the message that a failing test shows.

mod call_sites;
mod frames;
mod growth;
mod headline;
mod holders;
mod resources;

use std::fmt::{self, Write};
use std::path::Path;

use crate::amount::Allowed;
use crate::format::{counted, size};
use crate::holder::FoundBy;
use crate::report::{Figures, Report, Suppressed, Symbols};
use crate::scope::Stacks;

pub use growth::undecided;
pub use headline::excess;

/// Reports fit into this many columns where names allow it.
const WIDTH: usize = 100;
/// The labels of the lines below a call site have so many columns.
const LABEL: usize = 13;
/// Blocks below this size are sampled with `LEAK_STACKS=sampled`.
pub const SAMPLED_BELOW: u64 = 64 << 10;
/// Unattributed growth below this is libtest at work.
const UNATTRIBUTED_NOISE: u64 = 64 << 10;

/// Where the full report is, or why there is none.
pub type Written<'a> = Result<&'a Path, &'a str>;

/// What a text needs to know besides the report.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// How many call sites are shown.
    pub top: u64,
    /// The root of the user's workspace: paths inside are shown relative to it.
    pub workspace: Option<&'a Path>,
    /// Where the full report is.
    pub written: Written<'a>,
}

impl Layout<'_> {
    /// A path as seen from the workspace, if it is inside.
    fn shown(self, path: &Path) -> String {
        let inside = self.workspace.and_then(|workspace| path.strip_prefix(workspace).ok());
        inside.unwrap_or(path).display().to_string()
    }
}

/// The report as text. Ends without a newline.
pub fn render(report: &Report, layout: Layout<'_>) -> String {
    let mut text = String::new();
    write_report(&mut text, report, layout).expect("a string takes all that is written");
    text.truncate(text.trim_end().len());
    text
}

fn write_report(out: &mut String, report: &Report, layout: Layout<'_>) -> fmt::Result {
    writeln!(out, "leakcheck: {}\n", headline::headline(report))?;
    if !resources::come_first(report) {
        write_figures(out, report)?;
    }
    growth::write_repetition(out, report)?;
    if resources::come_first(report) {
        resources::write(out, report, layout)?;
        write_memory_in_brief(out, report)?;
    } else {
        call_sites::write(out, report, usize::try_from(layout.top).unwrap_or(usize::MAX))?;
        write_holders_source(out, report)?;
        resources::write(out, report, layout)?;
        growth::write_sensitivity(out, report)?;
    }
    write_excluded(out, report)?;
    write_symbols(out, report)?;
    write_call_stacks(out, report)?;
    match layout.written {
        Ok(path) => writeln!(out, "  full report: {}", layout.shown(path))?,
        Err(why) => writeln!(out, "  full report: not written, {why}")?,
    }
    if let Some(command) = &report.decide {
        // In one piece, so that it can be copied.
        let fits = len(command) + 19 <= WIDTH;
        let gap = if fits { " " } else { "\n    " };
        writeln!(out, "  leak or warm-up?{gap}{command}")?;
    }
    writeln!(out, "  {}", headline::last_line(&report.verdict))
}

/// How the reference paths were found, or why there are none.
fn write_holders_source(out: &mut String, report: &Report) -> fmt::Result {
    match (&report.holders_unknown, report.holders_by) {
        (Some(why), _) => writeln!(out, "  no reference paths: {why}"),
        (None, Some(FoundBy::Rerun)) => {
            writeln!(out, "  reference paths are from a rerun of this test on its own")
        }
        (None, _) => Ok(()),
    }
}

fn write_figures(out: &mut String, report: &Report) -> fmt::Result {
    let Some(figures) = &report.figures else { return Ok(()) };
    writeln!(
        out,
        "  retained {} in {} · released {} · peak {} · allocated {} in total\n",
        size(figures.retained.bytes),
        blocks(figures.retained.blocks),
        size(figures.released.bytes),
        size(figures.peak_bytes),
        blocks(figures.churn.blocks),
    )
}

/// Memory that is within its limit, where something else is not.
fn write_memory_in_brief(out: &mut String, report: &Report) -> fmt::Result {
    let Some(figures) = &report.figures else { return Ok(()) };
    let retained =
        format!("{} retained in {}", size(figures.retained.bytes), blocks(figures.retained.blocks));
    match report.limits.as_ref().and_then(|limits| limits.bytes.as_ref()) {
        Some(limit) => {
            writeln!(out, "  memory is within its limit of {}: {retained}", size(limit.value))
        }
        None => writeln!(out, "  memory does not grow: {retained}"),
    }
}

/// Memory that the verdict is not about.
fn write_excluded(out: &mut String, report: &Report) -> fmt::Result {
    for Allowed { why, amount } in report.allowed.iter().filter(|allowed| allowed.amount.blocks > 0)
    {
        writeln!(out, "  allowed: {} in {}: {why}", size(amount.bytes), blocks(amount.blocks))?;
    }
    for Suppressed { rule, why, amount, .. } in &report.suppressed {
        let why = match why {
            Some(why) => why.clone(),
            None => format!("`leak:{rule}` in `LEAK_SUPPRESSIONS`"),
        };
        writeln!(out, "  suppressed: {} in {}: {why}", size(amount.bytes), blocks(amount.blocks))?;
    }
    let Figures { unattributed, retained, .. } = report.figures.unwrap_or_default();
    // libtest's threads allocate a little between tests; a pool that works for the test allocates
    // in proportion.
    let noticed = (retained.bytes / 10).max(UNATTRIBUTED_NOISE);
    if unattributed.bytes.max(0).unsigned_abs() > noticed {
        let bytes = size(unattributed.bytes.unsigned_abs());
        writeln!(out, "  unattributed: {bytes}, allocated meanwhile by threads outside any check")?;
    }
    Ok(())
}

fn write_symbols(out: &mut String, report: &Report) -> fmt::Result {
    if let Some(why) = &report.symbols_unknown {
        return writeln!(out, "  no names, so known noise counts too: {why}");
    }
    match report.symbols {
        Symbols::Lines => Ok(()),
        Symbols::Functions => writeln!(
            out,
            "  no line numbers: the program has no debug information; set `debug = \"line-tables-only\"` in the profile"
        ),
        Symbols::Addresses => writeln!(
            out,
            "  no names, so known noise counts too: the program is stripped; set `strip = false` in the profile"
        ),
    }
}

fn write_call_stacks(out: &mut String, report: &Report) -> fmt::Result {
    match report.call_stacks {
        Stacks::Full => Ok(()),
        Stacks::Sampled => {
            writeln!(
                out,
                "  call sites are estimates from a sample (`LEAK_STACKS` is `sampled`); totals are exact"
            )?;
            writeln!(out, "  known noise in blocks below {} counts too", size(SAMPLED_BELOW))
        }
        Stacks::Off => {
            writeln!(out, "  no call sites, so known noise counts too: `LEAK_STACKS` is `off`")
        }
    }
}

fn blocks(number: u64) -> String {
    counted(number, "block")
}

/// The columns that a text takes.
fn len(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests;
