//! The part on resources other than memory.

use std::fmt::{self, Write};
use std::path::Path;

use super::frames::line;
use super::{Layout, WIDTH, len};
use crate::figure::Figure;
use crate::format::{counted, size};
use crate::frame::{Class, Frame};
use crate::report::Report;
use crate::resource::{Child, ChildState, Fd, UNNAMED};
use crate::verdict::Unjudged;

/// The most threads that are named.
const MOST_THREADS: usize = 10;
/// The most entries of a list that are shown.
const MOST_SHOWN: usize = 10;
/// Growth of the C heap below this may be what `malloc` keeps at hand.
const C_HEAP_NOISE: i64 = 1 << 20;

pub(super) fn write(out: &mut String, report: &Report, layout: Layout<'_>) -> fmt::Result {
    write_threads(out, report)?;
    write_fds(out, report, layout)?;
    write_children(out, report)?;
    write_c_heap(out, report)?;
    write_unjudged(out, report)
}

fn write_threads(out: &mut String, report: &Report) -> fmt::Result {
    if report.threads.is_empty() {
        return Ok(());
    }
    let mut named: Vec<(String, u64)> = Vec::new();
    for thread in &report.threads {
        let starter = thread.started_at.iter().find(|frame| frame.class == Class::User);
        let name = match thread.name.as_str() {
            UNNAMED => UNNAMED.to_owned(),
            name => format!("`{name}`"),
        };
        let text = match starter.and_then(Frame::place) {
            Some(place) => format!("{name}, started at {place}"),
            None => name,
        };
        match named.iter_mut().find(|(known, _)| *known == text) {
            Some((_, times)) => *times += 1,
            None => named.push((text, 1)),
        }
    }
    let names: Vec<String> = named
        .iter()
        .take(MOST_THREADS)
        .map(|(text, times)| if *times > 1 { format!("{times} × {text}") } else { text.clone() })
        .collect();
    let number = counted(report.threads.len() as u64, "thread");
    let rest: u64 = named.iter().skip(MOST_THREADS).map(|(_, times)| times).sum();
    let more = if rest == 0 { String::new() } else { format!("; and {rest} more") };
    writeln!(out, "  still running: {number} ({}{more})", names.join("; "))
}

fn write_fds(out: &mut String, report: &Report, layout: Layout<'_>) -> fmt::Result {
    if report.fds.is_empty() {
        return Ok(());
    }
    let known = report.figures.and_then(|figures| figures.fds).map_or(0, i64::unsigned_abs);
    let number = known.max(report.fds.len() as u64);
    writeln!(out, "  still open: {}", counted(number, "file descriptor"))?;
    let width = report.fds.iter().map(|fd| fd.number.to_string().len()).max().unwrap_or(0);
    for Fd { number, target, opened_at } in report.fds.iter().take(MOST_SHOWN) {
        let target = layout.shown(Path::new(target));
        write_entry(out, &format!("{number:>width$}"), &target, place(opened_at, "opened"))?;
    }
    write_more(out, number)
}

/// On one line, or where that is too long, with the place on a line of its own.
fn write_entry(out: &mut String, number: &str, what: &str, place: Option<String>) -> fmt::Result {
    let line = format!("    {number}  {what}");
    match place {
        Some(place) if len(&line) + len(", ") + len(&place) <= WIDTH => {
            writeln!(out, "{line}, {place}")
        }
        Some(place) => {
            writeln!(out, "{line}")?;
            writeln!(out, "    {:width$}  {place}", "", width = len(number))
        }
        None => writeln!(out, "{line}"),
    }
}

fn write_children(out: &mut String, report: &Report) -> fmt::Result {
    if report.children.is_empty() {
        return Ok(());
    }
    let known = report.figures.and_then(|figures| figures.children).map_or(0, i64::unsigned_abs);
    let number = known.max(report.children.len() as u64);
    writeln!(out, "  not waited for: {}", counted(number, "child process"))?;
    let width = report.children.iter().map(|child| child.pid.to_string().len()).max().unwrap_or(0);
    for Child { pid, command, state, started_at } in report.children.iter().take(MOST_SHOWN) {
        let state = match state {
            ChildState::Running => "running",
            ChildState::Exited => "exited",
        };
        let what = format!("`{command}`, {state}");
        write_entry(out, &format!("{pid:>width$}"), &what, place(started_at, "started"))?;
    }
    write_more(out, number)
}

/// Where it is over its limit, or large enough to be of interest.
fn write_c_heap(out: &mut String, report: &Report) -> fmt::Result {
    let grown = report.figures.and_then(|figures| figures.c_heap_bytes).unwrap_or(0);
    let limit = report.limits.as_ref().and_then(|limits| limits.c_heap_bytes.as_ref());
    let is_shown = match limit {
        Some(limit) => u64::try_from(grown).is_ok_and(|grown| grown > limit.value),
        None => grown > C_HEAP_NOISE,
    };
    if !is_shown {
        return Ok(());
    }
    let grown = size(grown.unsigned_abs());
    writeln!(
        out,
        "  C heap: grew by at least {grown} in the whole process; C code has no call sites"
    )
}

fn write_more(out: &mut String, number: u64) -> fmt::Result {
    match number.saturating_sub(MOST_SHOWN as u64) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}

/// Where something was done, in the user's own code if that is known.
fn place(frames: &[Frame], done: &str) -> Option<String> {
    let user = frames.iter().find(|frame| frame.class == Class::User);
    let (function, place) = line(user.or(frames.first())?);
    let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
    Some(format!("{done}{place} in {function}"))
}

fn write_unjudged(out: &mut String, report: &Report) -> fmt::Result {
    // That the C heap is not judged is the rule, and of interest only where it was to be.
    let limits = report.limits.as_ref();
    let c_heap = limits.is_some_and(|limits| limits.c_heap_bytes.is_some());
    let is_shown = |unjudged: &&Unjudged| unjudged.figure != Figure::CHeapBytes || c_heap;
    for unjudged in report.unjudged.iter().filter(is_shown) {
        writeln!(out, "  {}: {}", unjudged.figure.name(), unjudged.why)?;
    }
    Ok(())
}
