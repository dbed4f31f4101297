//! What a repeated body left behind, in words.

use std::fmt::{self, Write};

use super::{WIDTH, blocks, count, counted, len, size};
use crate::repetition::{Growing, GrowthClass, Repetition, Stopped};
use crate::report::Report;
use crate::resource::Resource;

/// Where lines below a call site begin, with a number of one digit.
const INDENT: usize = 6;
/// Batches whose growth is shown.
const SHOWN: usize = 4;

/// How the body was repeated.
pub(super) fn write_repetition(out: &mut String, report: &Report) -> fmt::Result {
    let Some(repetition) = &report.repetition else { return Ok(()) };
    let calls = counted(repetition.calls(), "call", "calls");
    let warmup = counted(repetition.warmup, "call", "calls");
    let batches = counted(repetition.batches.len() as u64, "batch", "batches");
    let stopped = match repetition.stopped {
        Stopped::Certain => "; nothing grew any more",
        Stopped::AsAsked => "",
        Stopped::CapOfCalls => ", the most (LEAK_ITERATIONS_MAX)",
        Stopped::CapOfTime => ", as many as the time allowed (LEAK_ITERATIONS_SECONDS)",
        Stopped::CapOfGrowth => ", until it had left enough behind",
    };
    writeln!(out, "  repeated: {warmup} of warm-up, then {calls} in {batches}{stopped}\n")
}

/// ` (16,383 calls)`.
pub(super) fn over_calls(report: &Report) -> String {
    let calls = |it: &Repetition| format!(" ({})", counted(it.calls(), "call", "calls"));
    report.repetition.as_ref().map_or(String::new(), calls)
}

/// What the repetition would have seen.
pub(super) fn write_sensitivity(out: &mut String, report: &Report) -> fmt::Result {
    let Some(repetition) = &report.repetition else { return Ok(()) };
    let leaks = repetition.resources.iter().filter(|it| it.class == GrowthClass::Leak);
    for resource in leaks {
        let what = match resource.what {
            Resource::Threads => "threads left running",
            Resource::Fds => "file descriptors left open",
            Resource::Children => "child processes left unwaited for",
            Resource::CHeap => "bytes left in the C heap",
        };
        writeln!(out, "  {what}: {}", course(&resource.by_batch, &repetition.batches))?;
    }
    let sensitivity = &repetition.sensitivity;
    let least = per_call(sensitivity.bytes_per_call);
    writeln!(out, "  would have seen: a leak of {least} at any call site{}", rarely(repetition))?;
    if sensitivity.still_growing > 0.0 {
        let raise = match repetition.stopped {
            Stopped::CapOfCalls => "LEAK_ITERATIONS_MAX",
            Stopped::CapOfTime => "LEAK_ITERATIONS_SECONDS",
            _ => "`iterations`",
        };
        let growing = per_call(sensitivity.still_growing);
        writeln!(
            out,
            "  stopped while {growing} still came in at other call sites: raise {raise}"
        )?;
    }
    Ok(())
}

fn rarely(repetition: &Repetition) -> String {
    match repetition.sensitivity.every {
        0 | 1 => String::new(),
        every => format!(", in every call or in one of {}", count(every)),
    }
}

/// What to say of a test that passes although something grew when its time was over.
pub fn undecided(report: &Report) -> String {
    let (calls, growing) = report
        .repetition
        .as_ref()
        .map_or((0, 0.0), |repetition| (repetition.calls(), repetition.sensitivity.still_growing));
    format!(
        "`{}` is not decided: {} still came in when the time was over, after {}; \
         LEAK_ITERATIONS_SECONDS gives it more, `iterations = 32` as many calls as it takes",
        report.test.name,
        per_call(growing),
        counted(calls, "call", "calls"),
    )
}

/// Growth in words; less than a byte a call as one in so many.
pub(super) fn per_call(bytes: f64) -> String {
    if bytes >= 1.0 || bytes <= 0.0 {
        format!("{} per call", size(bytes.round() as u64))
    } else {
        format!("1 B in {} calls", count((1.0 / bytes).round() as u64))
    }
}

/// What is said of a call site's growth, in lines.
pub(super) fn lines(growing: &Growing, batches: &[u64]) -> Vec<String> {
    let mut lines = match growing.class {
        GrowthClass::Leak => leak(growing, batches),
        GrowthClass::Undecided => {
            vec![format!("undecided: grows, {}", course(&growing.bytes, batches))]
        }
        GrowthClass::WarmUp => {
            let once = growing.bytes.iter().copied().max().unwrap_or(0);
            vec![format!("warm-up: grew once, by {}", size(once.max(0).unsigned_abs()))]
        }
        GrowthClass::FillingCache => {
            vec![format!(
                "filling cache: grows by less and less, {}",
                course(&growing.bytes, batches)
            )]
        }
        GrowthClass::Plateau => {
            vec![format!("plateau: goes up and down, {}", course(&growing.bytes, batches))]
        }
    };
    let severity = growing.severity.map(|severity| format!("{} severity", severity.name()));
    let told: Vec<String> = severity.into_iter().chain(growing.advice.clone()).collect();
    if !told.is_empty() {
        lines.push(told.join("; "));
    }
    lines
}

fn leak(growing: &Growing, batches: &[u64]) -> Vec<String> {
    let each = growing.blocks_per_call;
    let in_blocks = if each >= 1.0 && (each - each.round()).abs() < 0.05 {
        format!(" ({})", blocks(each.round() as u64))
    } else {
        String::new()
    };
    let (amount, unit) = rate(growing.bytes_per_call);
    let head = format!("grows {amount}{in_blocks} {unit}:");
    let course = course(&growing.bytes, batches);
    // The evidence has a line of its own where the two do not fit into one.
    if INDENT + len(&head) + 1 + len(&course) <= WIDTH {
        vec![format!("{head} {course}")]
    } else {
        vec![head, course]
    }
}

/// An amount and what it is for.
fn rate(bytes: f64) -> (String, String) {
    if bytes >= 1.0 {
        let bytes = bytes.round() as u64;
        (counted(bytes, "byte", "bytes"), "per call".to_owned())
    } else {
        let calls = (1.0 / bytes).round() as u64;
        ("1 byte".to_owned(), format!("in {} calls", count(calls)))
    }
}

/// `240 → 480 over batches of 1, 2`.
fn course(growth: &[i64], batches: &[u64]) -> String {
    let last = |length: usize| length.saturating_sub(SHOWN);
    let grown = growth[last(growth.len())..].iter().map(|bytes| signed(*bytes));
    let of = batches[last(batches.len())..].iter().map(|calls| count(*calls));
    let (grown, of): (Vec<_>, Vec<_>) = (grown.collect(), of.collect());
    format!("{} over batches of {}", grown.join(" → "), of.join(", "))
}

fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { "−" } else { "" };
    format!("{sign}{}", count(bytes.unsigned_abs()))
}

#[cfg(test)]
mod tests;
