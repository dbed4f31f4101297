//! Reads the reports of a run's tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use leakcheck::{Allowed, Amount, Growth, Kind, Limits, Scope, Verdict};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::fingerprint;
use crate::model::{Check, Figures, Frame, Interner, Run, Site, Status, Suppressed, Test, Thread};

/// A report as a file has it. What a later version adds is passed over, or kept where this command shows it as it
/// is.
#[derive(Debug, Deserialize)]
struct Report {
    test: ReportTest,
    verdict: Verdict,
    limits: Option<Limits>,
    judged: Option<Growth>,
    figures: Option<Figures>,
    #[serde(default)]
    call_sites: Vec<ReportSite>,
    #[serde(default)]
    omitted: Omitted,
    #[serde(default)]
    siteless: Amount,
    #[serde(default)]
    allowed: Vec<Allowed>,
    #[serde(default)]
    suppressed: Vec<Suppressed>,
    #[serde(default)]
    threads: Vec<ReportThread>,
    #[serde(default)]
    call_stacks: String,
    #[serde(default)]
    symbols: String,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct ReportTest {
    name: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    scope: Scope,
    file: Option<String>,
    line: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct ReportSite {
    bytes: u64,
    blocks: u64,
    frames: Vec<Frame>,
    #[serde(default)]
    omitted_frames: u64,
    growth: Option<Value>,
    #[serde(default)]
    holders: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Omitted {
    call_sites: u64,
    #[serde(flatten)]
    amount: Amount,
}

#[derive(Debug, Deserialize)]
struct ReportThread {
    name: String,
    started_at: Vec<Frame>,
}

/// What has to be known of a report before the rest can be read.
#[derive(Deserialize)]
struct Head {
    schema: u32,
    #[serde(default)]
    leakcheck: String,
}

/// The sections of a report that are kept as they are.
const SHOWN_AS_THEY_ARE: [&str; 8] = [
    "repetition",
    "decide",
    "fds",
    "unjudged",
    "children",
    "c_heap",
    "holders_unknown",
    "timeline",
];

/// The words of a check that could not see.
const BLIND: &str = "the counting allocator is not installed";

/// Puts every report below a directory into the run. What cannot be read is a problem of the run.
///
/// # Errors
///
/// When the directory itself cannot be read.
pub(crate) fn gather(directory: &Path, run: &mut Run) -> Result<()> {
    let mut interner = Interner::of(run);
    for path in files(directory)? {
        let inside = path.strip_prefix(directory).unwrap_or(&path);
        let target = inside.parent().map(with_slashes).unwrap_or_default();
        if inside.extension().is_some_and(|extension| extension == "tmp") {
            run.problems.push(format!(
                "a report of `{target}` was cut off while it was written: `{}`",
                path.display()
            ));
        } else if inside.extension().is_some_and(|extension| extension == "json") {
            match read(&path) {
                Ok(report) => {
                    let test = test(target, report, run, &mut interner);
                    run.tests.push(test);
                }
                Err(why) => {
                    run.problems.push(format!("the report `{}` {why}", path.display()));
                }
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> std::result::Result<Report, String> {
    let text = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let head: Head = serde_json::from_slice(&text)
        .map_err(|error| format!("is not whole or no report: {error}"))?;
    if head.schema > leakcheck::report::SCHEMA {
        return Err(format!(
            "has schema {}, and this cargo-leakcheck knows schemas up to {}: leakcheck {} wrote it, update cargo-leakcheck",
            head.schema,
            leakcheck::report::SCHEMA,
            head.leakcheck
        ));
    }
    serde_json::from_slice(&text).map_err(|error| format!("is no report: {error}"))
}

/// Every file below a directory, in the order of their names.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let cannot = |error| Error::file("read", &directory, error);
        for entry in fs::read_dir(&directory).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let is_directory = entry.file_type().map_err(cannot)?.is_dir();
            let into = if is_directory { &mut directories } else { &mut found };
            into.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn with_slashes(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn test(target: String, report: Report, run: &mut Run, interner: &mut Interner) -> Test {
    let (status, why, excesses) = match report.verdict {
        Verdict::Passed => (Status::Passed, None, Vec::new()),
        Verdict::Leaked { excesses } => (Status::Leaked, None, excesses),
        Verdict::Skipped { why } => (Status::Skipped, Some(why), Vec::new()),
        Verdict::NotJudged { why } if why.starts_with(BLIND) => {
            (Status::Blind, Some(BLIND.to_owned()), Vec::new())
        }
        Verdict::NotJudged { why } => (Status::NotJudged, Some(why), Vec::new()),
        // Of this schema, and newer than this command: a verdict that is not known is none.
        other => (Status::NotJudged, Some(other.to_string()), Vec::new()),
    };
    let mut more = report.more;
    more.retain(|name, value| SHOWN_AS_THEY_ARE.contains(&name.as_str()) && !is_empty(value));
    let mut site = |site: ReportSite| {
        let fingerprint = fingerprint::of(site.frames.iter());
        Site {
            bytes: site.bytes,
            blocks: site.blocks,
            stack: interner.stack(run, site.frames.into_iter()),
            fingerprint,
            known: false,
            omitted_frames: site.omitted_frames,
            growth: site.growth,
            holders: site.holders,
        }
    };
    let sites = report.call_sites.into_iter().map(&mut site).collect();
    let threads = report.threads.into_iter().map(|thread| Thread {
        name: thread.name,
        stack: interner.stack(run, thread.started_at.into_iter()),
    });
    let check = Check {
        kind: report.test.kind,
        scope: report.test.scope,
        file: report.test.file,
        line: report.test.line,
        limits: report.limits,
        excesses,
        judged: report.judged,
        figures: report.figures,
        sites,
        omitted_sites: report.omitted.call_sites,
        omitted: report.omitted.amount,
        siteless: report.siteless,
        allowed: report.allowed,
        suppressed: report.suppressed,
        threads: threads.collect(),
        call_stacks: report.call_stacks,
        symbols: report.symbols,
        regressions: Vec::new(),
        more,
    };
    let seconds = check.figures.map(|figures| figures.elapsed_us as f64 / 1e6);
    Test { target, name: report.test.name, status, why, seconds, check: Some(check) }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}
