//! The first line of a report, and the last one.

use super::{blocks, growth};
use crate::figure::Figure;
use crate::format::{counted, exact_size, size};
use crate::limit::LimitSource;
use crate::repetition::Repetition;
use crate::report::Report;
use crate::verdict::{Excess, NotJudged, Verdict};

/// The whole story in one line.
pub(super) fn headline(report: &Report) -> String {
    let name = &report.test.name;
    let excesses = match &report.verdict {
        Verdict::Leaked { excesses } => excesses,
        Verdict::NotJudged { reason: reason @ NotJudged::Limits { .. } } => {
            return format!("`{name}` cannot be judged by {reason}");
        }
        other => return format!("`{name}` {other}"),
    };
    let repetition = report.repetition.as_ref();
    let parts: Vec<String> = excesses.iter().map(|it| excess(it, repetition)).collect();
    format!("`{name}` {}", parts.join("; "))
}

/// A figure over its limit, as in "`test` leaked 5 blocks, limit 0 (threshold_blocks)".
pub fn excess(Excess { figure, value, limit }: &Excess, repetition: Option<&Repetition>) -> String {
    let value = value.unsigned_abs();
    let limit = format!("limit {} ({})", figure.show(limit.value), limit.source);
    let calls = || growth::over_calls(repetition);
    match figure {
        Figure::Bytes => format!("leaked {}, {}", exact_size(value), limit),
        Figure::PeakBytes => format!("peaked at {}, {}", exact_size(value), limit),
        Figure::Blocks => format!("leaked {}, {}", blocks(value), limit),
        Figure::Threads => format!("left {} running, {}", counted(value, "thread"), limit),
        Figure::Fds => format!("left {} open, {}", counted(value, "file descriptor"), limit),
        Figure::Children => {
            format!("left {} unwaited for, {}", counted(value, "child process"), limit)
        }
        Figure::CHeapBytes => {
            format!("grew the C heap by at least {}, {}", exact_size(value), limit)
        }
        Figure::LostBytes => format!("lost {}, {}", exact_size(value), limit),
        Figure::BytesPerCall => {
            let bytes = repetition.map_or(value as f64, |it| it.bytes_per_call);
            format!("leaks {}{}", growth::per_call(bytes), calls())
        }
        Figure::ThreadsPerCall => {
            format!("leaves {} running per call{}", counted(value, "thread"), calls())
        }
        Figure::FdsPerCall => {
            format!("leaves {} open per call{}", counted(value, "file descriptor"), calls())
        }
        Figure::ChildrenPerCall => {
            format!("leaves {} unwaited for per call{}", counted(value, "child process"), calls())
        }
        Figure::CHeapBytesPerCall => {
            format!("grows the C heap by {} per call{}", size(value), calls())
        }
    }
}

/// The last line: what to write in the test if the verdict is not what its author wants.
pub(super) fn last_line(verdict: &Verdict) -> String {
    if let Verdict::NotJudged { reason: NotJudged::Limits { limits } } = verdict {
        let names: Vec<String> = limits.iter().map(|it| format!("`{}`", it.limit.source)).collect();
        return format!(
            "no way to judge it? remove {}, or #[leak_check(skip = \"why\")]",
            names.join(" and ")
        );
    }
    format!("intended? {}", ways_out(verdict))
}

/// What to write when the memory, or the thread, is meant to stay. The attribute's first argument is
/// the one that raises the limit.
pub(super) fn ways_out(verdict: &Verdict) -> String {
    let Verdict::Leaked { excesses } = verdict else { return String::new() };
    let Some(Excess { figure, limit, .. }) = excesses.first() else { return String::new() };
    let raise_or_skip = match &limit.source {
        LimitSource::Variable { name } => format!("{name}=…, #[leak_check(skip = \"why\")]"),
        LimitSource::Argument { name } => {
            format!("#[leak_check({name} = …)] or (skip = \"why\")")
        }
        LimitSource::Default { .. } | LimitSource::Setting { .. } => {
            "#[leak_check(threshold_mb = …)] or (skip = \"why\")".to_owned()
        }
    };
    if matches!(figure, Figure::BytesPerCall) {
        return "leakcheck::allow(\"why\", || …) or #[leak_check(skip = \"why\")]".to_owned();
    }
    let allow = match figure {
        Figure::Bytes | Figure::Blocks => "leakcheck::allow(\"why\", || …), ",
        _ => "",
    };
    format!("{allow}{raise_or_skip}")
}
