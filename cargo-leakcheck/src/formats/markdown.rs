//! Markdown: a table of the tests that did not pass, for a comment on a change or the summary of a
//! job.

use std::fmt::Write as _;
use std::io::Write;

use leakcheck_report::format::{count, counted, signed_size, size};

use super::rendered::Rendered;
use crate::model::{Regression, Run, Status, Test};

const MOST_ROWS: usize = 30;
const MOST_SITES: usize = 3;

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    out.write_all(text(run).as_bytes())?;
    Ok(())
}

fn text(run: &Run) -> String {
    let mut out = String::from("## leakcheck\n\n");
    for problem in &run.problems {
        let _ = writeln!(out, "> **Incomplete:** {}\n", plain(problem));
    }
    let counts: Vec<String> = Status::ALL
        .iter()
        .filter(|status| run.count(&[**status]) > 0)
        .map(|status| format!("{} {}", count(run.count(&[*status]) as u64), status.word()))
        .collect();
    let _ = writeln!(out, "{}: {}\n", counted(run.tests.len() as u64, "test"), counts.join(", "));
    let odd = |test: &&&Test| {
        !matches!(
            test.status,
            Status::Passed | Status::Ignored | Status::Unchecked | Status::Skipped
        )
    };
    let tests = run.by_importance();
    let tests: Vec<&Test> = tests.iter().filter(odd).copied().collect();
    if !tests.is_empty() {
        out.push_str("| test | verdict | net growth | limit | peak | allocated by |\n");
        out.push_str("|---|---|--:|--:|--:|---|\n");
    }
    for test in tests.iter().take(MOST_ROWS) {
        let limits = test.check.as_ref().and_then(|check| check.limits.as_ref());
        let limit = limits.and_then(|limits| limits.bytes.as_ref());
        let _ = writeln!(
            out,
            "| {} | **{}** | {} | {} | {} | {} |",
            code(&test.id()),
            test.status.word(),
            test.growth().map_or_else(|| "–".into(), signed_size),
            limit.map_or_else(|| "–".into(), |limit| size(limit.value)),
            test.figures().map_or_else(|| "–".into(), |figures| size(figures.peak_bytes)),
            sites(run, test)
        );
    }
    if tests.len() > MOST_ROWS {
        let _ = writeln!(out, "\n… and {} more", tests.len() - MOST_ROWS);
    }
    for fixed in &run.fixed {
        let test = code(&fixed.test);
        let _ = match fixed.figure() {
            Some(figure) => writeln!(out, "\nFixed: {test} is within its limit of {figure}"),
            None => writeln!(out, "\nFixed: {test} no longer leaks at {}", code(&fixed.at)),
        };
    }
    out
}

fn sites(run: &Run, test: &Test) -> String {
    if let Some(regressions) = test.check.as_ref().map(|check| &check.regressions)
        && test.status == Status::Regressed
    {
        let words: Vec<String> = regressions.iter().map(Regression::words).collect();
        return words.join("<br>");
    }
    if !matches!(test.status, Status::Leaked | Status::Known) {
        return test.why.as_deref().map(plain).unwrap_or_default();
    }
    let sites = test.sites().iter().take(MOST_SITES).map(|site| {
        let (name, place) = run.allocated_at(site.stack);
        let known = if site.known { ", known" } else { "" };
        format!("{} {} {}{known}", size(site.bytes), code(&name), plain(&place))
    });
    sites.collect::<Vec<_>>().join("<br>")
}

/// Escapes text for Markdown and the HTML in it.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            '\n' | '\r' | '\t' => plain.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '@' => {
                plain.push('\\');
                plain.push(c);
            }
            c if c.is_control() => plain.push('\u{fffd}'),
            c => plain.push(c),
        }
    }
    plain
}

/// Formats a name as code. A backtick or a bar in it would end the code or the cell.
fn code(text: &str) -> String {
    if text.contains(['`', '|']) || text.chars().any(char::is_control) {
        plain(text)
    } else {
        format!("`{text}`")
    }
}
