//! Reads the reports of a run's tests.

use std::fs;
use std::path::{Path, PathBuf};

use leakcheck_report::{
    Allowed, Amount, Figures, Growing, Growth, Holder, Limits, NotJudged, Omitted, Stacks,
    Suppressed, Symbols, Test as Checked, Verdict,
};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::fingerprint::Fingerprints;
use crate::model::{Check, FrameIn, Interner, Run, Sections, Site, Status, Test, Thread};

/// A [report](leakcheck_report::Report) whose frames borrow from the text of its file: a run may have
/// half a million call sites, and most of their frames are known already.
#[derive(Debug, Deserialize)]
struct Report<'a> {
    schema: u32,
    test: Checked,
    verdict: Verdict,
    limits: Option<Limits>,
    judged: Option<Growth>,
    figures: Option<Figures>,
    #[serde(borrow, default)]
    call_sites: Vec<ReportSite<'a>>,
    #[serde(default)]
    omitted: Omitted,
    #[serde(default)]
    siteless: Amount,
    #[serde(default)]
    allowed: Vec<Allowed>,
    #[serde(default)]
    suppressed: Vec<Suppressed>,
    #[serde(borrow, default)]
    threads: Vec<ReportThread<'a>>,
    #[serde(default)]
    call_stacks: Stacks,
    #[serde(default)]
    symbols: Symbols,
    #[serde(flatten)]
    more: Sections,
}

/// A [call site](leakcheck_report::CallSite).
#[derive(Debug, Deserialize)]
struct ReportSite<'a> {
    bytes: u64,
    blocks: u64,
    #[serde(borrow)]
    frames: Vec<FrameIn<'a>>,
    #[serde(default)]
    omitted_frames: u64,
    growth: Option<Growing>,
    #[serde(default)]
    holders: Vec<Holder>,
}

/// A [thread](leakcheck_report::Thread).
#[derive(Debug, Deserialize)]
struct ReportThread<'a> {
    name: String,
    #[serde(borrow)]
    started_at: Vec<FrameIn<'a>>,
}

/// The parts of a report that every version can read.
#[derive(Deserialize)]
struct Head {
    schema: u32,
    #[serde(default)]
    leakcheck: String,
}

/// Adds every report below a directory to the run. Unreadable reports become problems of the run.
///
/// # Errors
///
/// If the directory itself cannot be read.
pub(crate) fn gather(directory: &Path, run: &mut Run) -> Result<()> {
    let mut tests = Tests { interner: Interner::of(run), fingerprints: Fingerprints::default() };
    for path in files(directory)? {
        let inside = path.strip_prefix(directory).unwrap_or(&path);
        let target = inside.parent().map(with_slashes).unwrap_or_default();
        if inside.extension().is_some_and(|extension| extension == "tmp") {
            run.problems.push(format!(
                "a report of `{target}` was cut off while it was written: `{}`",
                path.display()
            ));
        } else if inside.extension().is_some_and(|extension| extension == "json") {
            let text =
                fs::read_to_string(&path).map_err(|error| format!("cannot be read: {error}"));
            match text.as_deref().map_err(String::clone).and_then(read) {
                Ok(report) => {
                    let test = tests.test(target, report, run);
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

fn read(text: &str) -> std::result::Result<Report<'_>, String> {
    let report = serde_json::from_str(text);
    let is_newer = |schema: u32| schema > leakcheck_report::SCHEMA;
    if let Ok(Report { schema, .. }) = report
        && !is_newer(schema)
    {
        return report.map_err(|error| error.to_string());
    }
    let head: Head = serde_json::from_str(text)
        .map_err(|error| format!("is cut off or not a report: {error}"))?;
    if is_newer(head.schema) {
        return Err(format!(
            "has schema {}, and this cargo-leakcheck knows schemas up to {}: leakcheck {} wrote it, update cargo-leakcheck",
            head.schema,
            leakcheck_report::SCHEMA,
            head.leakcheck
        ));
    }
    report.map_err(|error| format!("is no report: {error}"))
}

/// Every file below a directory, sorted by path.
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

/// Converts reports into tests.
struct Tests {
    interner: Interner,
    fingerprints: Fingerprints,
}

impl Tests {
    fn test(&mut self, target: String, report: Report<'_>, run: &mut Run) -> Test {
        let why = match &report.verdict {
            Verdict::Skipped { reason } => Some(reason.to_string()),
            Verdict::NotJudged { reason } => Some(reason.to_string()),
            _ => None,
        };
        let (status, skip, excesses) = match report.verdict {
            Verdict::Passed => (Status::Passed, None, Vec::new()),
            Verdict::Leaked { excesses } => (Status::Leaked, None, excesses),
            Verdict::Skipped { reason } => (Status::Skipped, Some(reason), Vec::new()),
            Verdict::NotJudged { reason: NotJudged::Blind | NotJudged::Limits { .. } } => {
                (Status::Blind, None, Vec::new())
            }
            // A verdict that this command does not know.
            _ => (Status::NotJudged, None, Vec::new()),
        };
        let site = |site: ReportSite<'_>| {
            let stack = self.interner.stack(run, site.frames.into_iter());
            Site {
                bytes: site.bytes,
                blocks: site.blocks,
                stack,
                fingerprint: self.fingerprints.of(run, stack),
                known: false,
                omitted_frames: site.omitted_frames,
                growth: site.growth,
                holders: site.holders,
            }
        };
        let sites = report.call_sites.into_iter().map(site).collect();
        let threads = report.threads.into_iter().map(|thread| Thread {
            name: thread.name,
            stack: self.interner.stack(run, thread.started_at.into_iter()),
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
            more: report.more,
        };
        let seconds = check.figures.map(|figures| figures.elapsed_us as f64 / 1e6);
        Test { target, name: report.test.name, status, why, skip, seconds, check: Some(check) }
    }
}
