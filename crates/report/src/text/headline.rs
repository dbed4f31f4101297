//! The first line of a report, and the last one.

use super::{blocks, growth};
use crate::figure::Figure;
use crate::format::{count, counted, exact_size, size, size_limit};
use crate::limit::LimitSource;
use crate::repetition::Repetition;
use crate::report::Report;
use crate::verdict::{Excess, Verdict};

/// The whole story in one line.
pub(super) fn headline(report: &Report) -> String {
    let Verdict::Leaked { excesses } = &report.verdict else {
        return format!("`{}` {}", report.test.name, report.verdict);
    };
    let repetition = report.repetition.as_ref();
    let parts: Vec<String> = excesses.iter().map(|it| excess(it, repetition)).collect();
    format!("`{}` {}", report.test.name, parts.join("; "))
}

/// A figure over its limit, as in "`test` leaked 5 blocks, limit 0 (threshold_blocks)".
pub fn excess(Excess { figure, value, limit }: &Excess, repetition: Option<&Repetition>) -> String {
    let value = value.unsigned_abs();
    let in_bytes = || format!("limit {} ({})", size_limit(limit.value), limit.source);
    let in_number = || format!("limit {} ({})", count(limit.value), limit.source);
    let calls = || growth::over_calls(repetition);
    match figure {
        Figure::Bytes => format!("leaked {}, {}", exact_size(value), in_bytes()),
        Figure::PeakBytes => format!("peaked at {}, {}", exact_size(value), in_bytes()),
        Figure::Blocks => format!("leaked {}, {}", blocks(value), in_number()),
        Figure::Threads => format!("left {} running, {}", counted(value, "thread"), in_number()),
        Figure::Fds => format!("left {} open, {}", counted(value, "file descriptor"), in_number()),
        Figure::Children => {
            format!("left {} unwaited for, {}", counted(value, "child process"), in_number())
        }
        Figure::CHeapBytes => {
            format!("grew the C heap by at least {}, {}", exact_size(value), in_bytes())
        }
        Figure::LostBytes => format!("lost {}, {}", exact_size(value), in_bytes()),
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
