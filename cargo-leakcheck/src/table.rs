//! The table of tests on a terminal: leaks first, with their largest call sites.

mod rows;

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use leakcheck_report::format::{count, counted, seconds, signed_size, size};

use leakcheck_report::{Excess, Figure, text};

use crate::model::{Run, Status, Test, Tone};
use crate::output::shown;

/// The maximum number of rows, unless more tests failed or `--all` is given.
const MOST_ROWS: usize = 50;
const WIDEST_NAME: usize = 60;

/// How much the table shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) all: bool,
    /// The number of call sites per leak.
    pub(crate) top: usize,
}

/// Renders the table, with colors for a terminal.
pub(crate) fn render(run: &Run, extent: Extent) -> String {
    let tests = run.by_importance();
    let in_order =
        |test: &&&Test| matches!(test.status, Status::Passed | Status::Ignored | Status::Unchecked);
    let most = if extent.all {
        tests.len()
    } else {
        MOST_ROWS.max(tests.iter().filter(|t| !in_order(t)).count())
    };
    let (rows, rest) = tests.split_at(most.min(tests.len()));
    let mut out = String::new();
    if !rows.is_empty() {
        write_rows(&mut out, run, rows, extent);
    }
    if !rest.is_empty() {
        let _ = writeln!(
            out,
            "  … and {} without problems (--all lists them)",
            counted(rest.len() as u64, "more test")
        );
    }
    write_fixed(&mut out, run);
    for problem in &run.problems {
        let style = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        let _ = writeln!(out, "{style}incomplete{style:#}: {}", plain(problem));
    }
    let _ = writeln!(out, "{}", summary(run));
    out
}

fn write_rows(out: &mut String, run: &Run, rows: &[&Test], extent: Extent) {
    let several = rows.iter().any(|test| test.target != rows[0].target);
    let names: Vec<String> = rows.iter().map(|test| name(test, several)).collect();
    let width =
        names.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(4, WIDEST_NAME);
    let bold = Style::new().bold();
    let _ = writeln!(
        out,
        "{bold}{:width$}  {:10}  {:>10}  {:>10}  {:>10}  {:>10}  {:>8}{bold:#}",
        "test", "verdict", "net growth", "limit", "peak", "churn", "time"
    );
    for (test, name) in rows.iter().zip(&names) {
        let style = style(test.status);
        let word = test.status.word();
        let mut cells: Vec<String> = vec![
            test.growth().map(signed_size),
            test.check
                .as_ref()
                .and_then(|c| c.limits.as_ref())
                .and_then(|limits| limits.bytes.as_ref())
                .map(|limit| size(limit.value)),
            test.figures().map(|figures| size(figures.peak_bytes)),
            test.figures().map(|figures| size(figures.churn.bytes)),
        ]
        .into_iter()
        .map(|cell| format!("  {:>10}", cell.unwrap_or_else(|| "–".to_owned())))
        .collect();
        cells.push(format!("  {:>8}", test.seconds.map_or_else(|| "–".to_owned(), seconds)));
        let row = format!("{}  {style}{word:10}{style:#}{}", fit(name, width), cells.concat());
        let _ = writeln!(out, "{}", row.trim_end());
        if let Some(why) = &test.why {
            let _ = writeln!(out, "    {}", plain(why));
        }
        write_leak(out, run, test, extent.top);
    }
}

fn write_leak(out: &mut String, run: &Run, test: &Test, top: usize) {
    let Some(check) = &test.check else { return };
    let dim = Style::new().dimmed();
    for regression in &check.regressions {
        let _ = writeln!(out, "    {}", regression.words());
    }
    if !matches!(test.status, Status::Leaked | Status::Known) {
        return;
    }
    let other = |excess: &&Excess| excess.figure != Figure::Bytes;
    for excess in check.excesses.iter().filter(other) {
        let words = text::excess(excess, check.more.repetition.as_ref());
        let _ = writeln!(out, "    {}", plain(&words));
    }
    let sites = rows::of(run, &check.sites);
    for site in sites.iter().take(top) {
        let known = if site.known { " (known)" } else { "" };
        let per_call = site.per_call.map(|bytes| format!(", {} per call", signed_size(bytes)));
        let per_call = per_call.unwrap_or_default();
        let blocks = counted(site.blocks, "block");
        let (name, place) = (plain(&site.name), plain(&site.place));
        let _ = writeln!(
            out,
            "    {:>9}  {blocks:>12}  {name}  {dim}{place}{dim:#}{per_call}{known}",
            size(site.bytes)
        );
        if let Some(holder) = &site.holder {
            let _ = writeln!(out, "    {dim}{:9}  {:12}  {}{dim:#}", "", "", plain(holder));
        }
    }
    let more = sites.len().saturating_sub(top) as u64 + check.omitted_sites;
    if more > 0 {
        let listed: u64 = sites.iter().skip(top).map(|site| site.bytes).sum();
        let bytes = size(listed + check.omitted.bytes);
        let sites = counted(more, "more call site");
        let _ = writeln!(out, "    {bytes:>9}  in {sites}");
    }
}

fn write_fixed(out: &mut String, run: &Run) {
    let style = Style::new().fg_color(Some(AnsiColor::Green.into()));
    for fixed in &run.fixed {
        let test = plain(&fixed.test);
        let _ = match fixed.figure() {
            Some(figure) => {
                writeln!(out, "{style}fixed{style:#}: {test} is within its limit of {figure}")
            }
            None => {
                let (at, fingerprint) = (plain(&fixed.at), &fixed.fingerprint);
                writeln!(
                    out,
                    "{style}fixed{style:#}: {test} no longer leaks at {at} ({fingerprint})"
                )
            }
        };
    }
    if let Some(baseline) = run.meta.baseline.as_ref().filter(|_| !run.fixed.is_empty()) {
        let _ = writeln!(
            out,
            "  remove {} from `{}`: cargo leakcheck baseline --update",
            if run.fixed.len() == 1 { "it" } else { "them" },
            shown(std::path::Path::new(baseline))
        );
    }
}

/// `12 tests: 2 leaked, 10 passed · 1.25 s`
pub(crate) fn summary(run: &Run) -> String {
    let counts = Status::ALL.into_iter().filter_map(|status| {
        let number = run.count(&[status]);
        let style = style(status);
        let many = if number > 1 && status == Status::Known { "s" } else { "" };
        (number > 0)
            .then(|| format!("{style}{} {}{many}{style:#}", count(number as u64), status.word()))
    });
    let counts: Vec<String> = counts.collect();
    let tests = counted(run.tests.len() as u64, "test");
    let time = seconds(run.meta.seconds);
    if counts.is_empty() {
        format!("no tests · {time}")
    } else {
        format!("{tests}: {} · {time}", counts.join(", "))
    }
}

fn style(status: Status) -> Style {
    let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
    match status.tone() {
        Tone::Bad => color(AnsiColor::Red).bold(),
        Tone::Warn => color(AnsiColor::Yellow),
        Tone::Good => color(AnsiColor::Green),
        Tone::Faint => Style::new().dimmed(),
    }
}

fn name(test: &Test, with_target: bool) -> String {
    plain(&if with_target { test.id() } else { test.name.clone() })
}

/// Replaces control characters, which a terminal would interpret.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Truncates a text in the middle, or pads it with spaces, to the width.
fn fit(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return format!("{text:width$}");
    }
    let head: String = text.chars().take(width / 3).collect();
    let kept = width - width / 3 - 1;
    let tail: String = text.chars().skip(length - kept).collect();
    format!("{head}…{tail}")
}
