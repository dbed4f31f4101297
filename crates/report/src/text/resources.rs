//! The part on resources other than memory: what is left, grouped by the place that created it.

mod groups;

use std::fmt::{self, Write};
use std::path::Path;

use super::growth::course;
use super::{Layout, WIDTH, len};
use crate::advice;
use crate::figure::Figure;
use crate::format::{counted, size};
use crate::frame::{Class, Frame};
use crate::repetition::{GrowingResource, GrowthClass};
use crate::report::Report;
use crate::resource::{Child, ChildState, Fd, Resource, Thread, UNNAMED};
use crate::verdict::{Excess, NotJudged, Unjudged, Verdict};
use groups::{Group, group, numbers, place};

/// The most groups of threads that are named.
const MOST_THREADS: usize = 10;
/// The most groups of a list that are shown.
const MOST_SHOWN: usize = 10;
/// Growth of the C heap below this may be what `malloc` keeps at hand.
const C_HEAP_NOISE: i64 = 1 << 20;

/// Whether the check fails for resources alone, so that they come before memory.
pub(super) fn come_first(report: &Report) -> bool {
    match &report.verdict {
        Verdict::Leaked { excesses } => {
            excesses.iter().all(|excess| excess.figure.resource().is_some())
        }
        Verdict::NotJudged { reason: NotJudged::Limits { limits } } => {
            limits.iter().all(|limit| limit.figure.resource().is_some())
        }
        _ => false,
    }
}

/// Writes what is left of each resource: first those that fail the check, then the others.
pub(super) fn write(out: &mut String, report: &Report, layout: Layout<'_>) -> fmt::Result {
    let mut all = [Resource::Threads, Resource::Fds, Resource::Children, Resource::CHeap].map(Some);
    all.sort_by_key(|resource| !resource.is_some_and(|resource| fails(report, resource)));
    for resource in all.into_iter().flatten() {
        let is_written = match resource {
            Resource::Threads => write_threads(out, report)?,
            Resource::Fds => write_fds(out, report, layout)?,
            Resource::Children => write_children(out, report)?,
            Resource::CHeap => write_c_heap(out, report)?,
        };
        write_growth(out, report, resource)?;
        if is_written && fails(report, resource) {
            writeln!(out, "    {}", advice::on(resource))?;
        }
    }
    write_unjudged(out, report)
}

/// Whether the check fails because of this resource.
fn fails(report: &Report, resource: Resource) -> bool {
    let Verdict::Leaked { excesses } = &report.verdict else { return false };
    excesses.iter().any(|Excess { figure, .. }| figure.resource() == Some(resource))
}

/// How a repeated body has left more and more of a resource behind.
fn write_growth(out: &mut String, report: &Report, resource: Resource) -> fmt::Result {
    let Some(repetition) = &report.repetition else { return Ok(()) };
    let leaks = |it: &&GrowingResource| it.what == resource && it.class == GrowthClass::Leak;
    let Some(growing) = repetition.resources.iter().find(leaks) else { return Ok(()) };
    let what = match resource {
        Resource::Threads => "threads left running",
        Resource::Fds => "file descriptors left open",
        Resource::Children => "child processes left unwaited for",
        Resource::CHeap => "bytes that the C heap grew by",
    };
    let course = course(&growing.by_batch, &repetition.batches);
    writeln!(out, "  {what}: {course}; {} severity", growing.severity().name())
}

fn write_threads(out: &mut String, report: &Report) -> Result<bool, fmt::Error> {
    let describe = |thread: &Thread| {
        let name = match thread.name.as_str() {
            UNNAMED => UNNAMED.to_owned(),
            name => format!("`{name}`"),
        };
        let starter = thread.started_at.iter().find(|frame| frame.class == Class::User);
        match starter.and_then(Frame::place) {
            Some(place) => format!("{name}, started at {place}"),
            None => name,
        }
    };
    let groups = group(&report.threads, describe);
    if groups.is_empty() {
        return Ok(false);
    }
    let shown = groups.iter().take(MOST_THREADS).map(|Group { what, members }| {
        if members.len() > 1 { format!("{} × {what}", members.len()) } else { what.clone() }
    });
    let names: Vec<String> = shown.collect();
    let number = counted(report.threads.len() as u64, "thread");
    let rest: usize = groups.iter().skip(MOST_THREADS).map(|group| group.members.len()).sum();
    let more = if rest == 0 { String::new() } else { format!("; and {rest} more") };
    writeln!(out, "  still running: {number} ({}{more})", names.join("; "))?;
    Ok(true)
}

fn write_fds(out: &mut String, report: &Report, layout: Layout<'_>) -> Result<bool, fmt::Error> {
    if report.fds.is_empty() {
        return Ok(false);
    }
    let known = report.figures.and_then(|figures| figures.fds).map_or(0, i64::unsigned_abs);
    let number = known.max(report.fds.len() as u64);
    writeln!(out, "  still open: {}", counted(number, "file descriptor"))?;
    let describe = |fd: &Fd| (groups::kind(&fd.target).to_owned(), place(&fd.opened_at, "opened"));
    let groups = group(&report.fds, describe);
    let entries = groups.iter().take(MOST_SHOWN).map(|Group { what: (kind, place), members }| {
        let target = layout.shown(Path::new(&members[0].target));
        let is_one = members.iter().all(|fd| fd.target == members[0].target);
        let mut place = place.clone();
        let what = match members.len() as u64 {
            1 => target,
            many if is_one && target == *kind => counted(many, kind),
            many if is_one => format!("{many} × {target}"),
            many => {
                let example = target.strip_prefix(&format!("{kind} ")).unwrap_or(&target);
                place.push(format!("such as {example}"));
                counted(many, kind)
            }
        };
        let label = numbers(members.iter().map(|fd| fd.number));
        Entry { label, what, place }
    });
    write_entries(out, &entries.collect::<Vec<_>>())?;
    write_more(out, number, &groups)?;
    Ok(true)
}

fn write_children(out: &mut String, report: &Report) -> Result<bool, fmt::Error> {
    if report.children.is_empty() {
        return Ok(false);
    }
    let known = report.figures.and_then(|figures| figures.children).map_or(0, i64::unsigned_abs);
    let number = known.max(report.children.len() as u64);
    writeln!(out, "  not waited for: {}", counted(number, "child process"))?;
    let describe = |Child { command, state, started_at, .. }: &Child| {
        let state = match state {
            ChildState::Running => "running",
            ChildState::Exited => "exited",
        };
        (format!("`{command}`, {state}"), place(started_at, "started"))
    };
    let groups = group(&report.children, describe);
    let entries = groups.iter().take(MOST_SHOWN).map(|Group { what: (what, place), members }| {
        let what = match members.len() {
            1 => what.clone(),
            many => format!("{many} × {what}"),
        };
        let label = numbers(members.iter().map(|child| child.pid));
        Entry { label, what, place: place.clone() }
    });
    write_entries(out, &entries.collect::<Vec<_>>())?;
    write_more(out, number, &groups)?;
    Ok(true)
}

/// A line of a list, which may be continued on others.
struct Entry {
    label: String,
    what: String,
    place: Vec<String>,
}

/// Each on one line, or where that is too long, with the parts of the place on lines of their own.
fn write_entries(out: &mut String, entries: &[Entry]) -> fmt::Result {
    let width = entries.iter().map(|entry| len(&entry.label)).max().unwrap_or(0);
    for Entry { label, what, place } in entries {
        let mut line = format!("    {label:>width$}  {what}");
        for part in place {
            if len(&line) + len(", ") + len(part) <= WIDTH {
                write!(line, ", {part}")?;
            } else {
                writeln!(out, "{line}")?;
                line = format!("    {:width$}  {part}", "");
            }
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn write_more<T, K>(out: &mut String, number: u64, groups: &[Group<'_, T, K>]) -> fmt::Result {
    let shown: usize = groups.iter().take(MOST_SHOWN).map(|group| group.members.len()).sum();
    match number.saturating_sub(shown as u64) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}

/// Where it is over its limit, or large enough to be of interest.
fn write_c_heap(out: &mut String, report: &Report) -> Result<bool, fmt::Error> {
    let grown = report.figures.and_then(|figures| figures.c_heap_bytes).unwrap_or(0);
    let limit = report.limits.as_ref().and_then(|limits| limits.c_heap_bytes.as_ref());
    let is_shown = match limit {
        Some(limit) => u64::try_from(grown).is_ok_and(|grown| grown > limit.value),
        None => grown > C_HEAP_NOISE,
    };
    if is_shown {
        let grown = size(grown.unsigned_abs());
        writeln!(
            out,
            "  C heap: grew by at least {grown} in the whole process; C code has no call sites"
        )?;
    }
    Ok(is_shown)
}

fn write_unjudged(out: &mut String, report: &Report) -> fmt::Result {
    // That the C heap is not judged is the rule, and of interest only where it was to be.
    let limits = report.limits.as_ref();
    let c_heap = limits.is_some_and(|limits| limits.c_heap_bytes.is_some());
    let is_told = |unjudged: &Unjudged| match &report.verdict {
        Verdict::NotJudged { reason: NotJudged::Limits { limits } } => {
            limits.iter().any(|limit| limit.figure == unjudged.figure)
        }
        _ => false,
    };
    let is_shown = |unjudged: &&Unjudged| {
        !is_told(unjudged) && (unjudged.figure != Figure::CHeapBytes || c_heap)
    };
    for unjudged in report.unjudged.iter().filter(is_shown) {
        writeln!(out, "  {}: {}", unjudged.figure.name(), unjudged.why)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
