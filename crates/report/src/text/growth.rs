//! What a repeated body left behind, in words.

use std::fmt::{self, Write};

use super::{LABEL, WIDTH, blocks, len};
use crate::format::{count, counted, signed_count, size};
use crate::repetition::{Growing, GrowthClass, Repetition, Stopped};
use crate::report::Report;

/// Batches whose growth is shown.
const SHOWN: usize = 4;

/// How the body was repeated.
pub(super) fn write_repetition(out: &mut String, report: &Report) -> fmt::Result {
    let Some(repetition) = &report.repetition else { return Ok(()) };
    let warmup = counted(repetition.warmup, "warm-up call");
    let calls = counted(repetition.calls(), "call");
    let batches = counted(repetition.batches.len() as u64, "batch");
    let stopped = match repetition.stopped {
        Stopped::Certain => "; nothing grew any more",
        Stopped::AsAsked => "",
        Stopped::CapOfCalls => "; stopped by `LEAK_ITERATIONS_MAX`",
        Stopped::CapOfTime => "; stopped by `LEAK_ITERATIONS_SECONDS`",
        Stopped::CapOfGrowth => "; stopped because it had leaked enough",
    };
    writeln!(out, "  repeated: {warmup}, then {calls} in {batches}{stopped}\n")
}

/// ` (16,383 calls)`.
pub(super) fn over_calls(repetition: Option<&Repetition>) -> String {
    let calls = |it: &Repetition| format!(" ({})", counted(it.calls(), "call"));
    repetition.map_or(String::new(), calls)
}

/// What the repetition would have seen.
pub(super) fn write_sensitivity(out: &mut String, report: &Report) -> fmt::Result {
    let Some(repetition) = &report.repetition else { return Ok(()) };
    let sensitivity = &repetition.sensitivity;
    let least = per_call(sensitivity.bytes_per_call);
    writeln!(out, "  would have seen: a leak of {least} at any call site{}", rarely(repetition))?;
    if sensitivity.still_growing > 0.0 {
        let raise = match repetition.stopped {
            Stopped::CapOfCalls => "`LEAK_ITERATIONS_MAX`",
            Stopped::CapOfTime => "`LEAK_ITERATIONS_SECONDS`",
            _ => "`iterations`",
        };
        let growing = per_call(sensitivity.still_growing);
        writeln!(out, "  stopped while other call sites still grew by {growing}: raise {raise}")?;
    }
    Ok(())
}

fn rarely(repetition: &Repetition) -> String {
    match repetition.sensitivity.every {
        0 | 1 => String::new(),
        every => format!(", even if only once every {} calls", count(every)),
    }
}

/// What to say of a test that passes although something still grew when its time was over.
pub fn undecided(report: &Report) -> String {
    let (calls, growing) = report
        .repetition
        .as_ref()
        .map_or((0, 0.0), |repetition| (repetition.calls(), repetition.sensitivity.still_growing));
    format!(
        "`{}` is undecided: memory still grew by {} when time was up after {}; \
         raise `LEAK_ITERATIONS_SECONDS`, or set `iterations = 32`",
        report.test.name,
        per_call(growing),
        counted(calls, "call"),
    )
}

/// A growth rate; less than a byte per call as one in several calls.
pub(super) fn per_call(bytes: f64) -> String {
    if bytes >= 1.0 || bytes <= 0.0 {
        format!("{} per call", size(bytes.round() as u64))
    } else {
        format!("1 B in {} calls", count((1.0 / bytes).round() as u64))
    }
}

/// How a call site has grown, on lines below it.
pub(super) fn write(
    out: &mut String,
    indent: usize,
    growing: &Growing,
    batches: &[u64],
) -> fmt::Result {
    let course = course(&growing.bytes, batches);
    let (mut label, text) = match growing.class {
        GrowthClass::Leak => ("growing", format!("{}: {course}", rate(growing))),
        GrowthClass::Undecided => ("undecided", format!("grows: {course}")),
        GrowthClass::WarmUp => {
            let once = growing.bytes.iter().copied().max().unwrap_or(0);
            ("warm-up", format!("grew once, by {}", size(once.max(0).unsigned_abs())))
        }
        GrowthClass::FillingCache => ("filling cache", format!("grows by less and less: {course}")),
        GrowthClass::Plateau => ("plateau", format!("goes up and down: {course}")),
    };
    let severity = growing.severity.map(|severity| format!("{} severity", severity.name()));
    let assessment: Vec<String> = severity.into_iter().chain(growing.advice.clone()).collect();
    let width = WIDTH.saturating_sub(indent + LABEL + 2);
    let evidence = match text.split_once(": ") {
        // The evidence has a line of its own where the two do not fit into one.
        Some((rate, course)) if len(&text) > width => vec![format!("{rate}:"), course.to_owned()],
        _ => vec![text],
    };
    for line in evidence.into_iter().chain((!assessment.is_empty()).then(|| assessment.join("; ")))
    {
        writeln!(out, "{:indent$}{label:<LABEL$}  {line}", "")?;
        label = "";
    }
    Ok(())
}

/// `240 bytes (2 blocks) per call`.
fn rate(growing: &Growing) -> String {
    let each = growing.blocks_per_call;
    let in_blocks = if each >= 1.0 && (each - each.round()).abs() < 0.05 {
        format!(" ({})", blocks(each.round() as u64))
    } else {
        String::new()
    };
    let bytes = growing.bytes_per_call;
    if bytes >= 1.0 {
        format!("{}{in_blocks} per call", counted(bytes.round() as u64, "byte"))
    } else {
        let calls = (1.0 / bytes).round() as u64;
        format!("1 byte{in_blocks} in {} calls", count(calls))
    }
}

/// `240 → 480 over batches of 1, 2`.
pub(super) fn course(growth: &[i64], batches: &[u64]) -> String {
    let last = |length: usize| length.saturating_sub(SHOWN);
    let grown = growth[last(growth.len())..].iter().map(|growth| signed_count(*growth));
    let of = batches[last(batches.len())..].iter().map(|calls| count(*calls));
    let (grown, of): (Vec<_>, Vec<_>) = (grown.collect(), of.collect());
    format!("{} over batches of {}", grown.join(" → "), of.join(", "))
}

#[cfg(test)]
mod tests;
