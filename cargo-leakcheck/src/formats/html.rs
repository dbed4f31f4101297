//! The page: one self-contained file that opens from disk.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};

use leakcheck_report::{
    Child, Class, Fd, Growing, Growth, Holder, Limit, Limits, Repetition, Timeline, Unjudged,
};
use serde::Serialize;

use super::Context;
use super::rendered::Rendered;
use crate::model::{Check, Fixed, Meta, Regression, Run, Status, Test, Tone};

const PAGE: &str = include_str!("../../assets/report.html");
const STYLE: &str = include_str!("../../assets/report.css");
const SCRIPT: &str = include_str!("../../assets/report.js");
const TIMELINE: &str = include_str!("../../assets/timeline.js");

/// The data of the page. Names are short, because there may be hundreds of thousands of call sites.
#[derive(Serialize)]
struct Data<'a> {
    meta: &'a Meta,
    problems: &'a [String],
    /// Sentences.
    fixed: Vec<String>,
    /// The word for each status, and its tone.
    statuses: Vec<(&'static str, Tone)>,
    targets: Vec<&'a str>,
    tests: Vec<PageTest<'a>>,
    frames: Vec<PageFrame<'a>>,
    /// The caller and the frame of each stack, in turn.
    stacks: Vec<u32>,
    sources: BTreeMap<String, (u32, &'a [String])>,
    history: &'a [super::Past],
}

/// Function, file, line, and the number of the class.
type PageFrame<'a> = (Cow<'a, str>, Option<&'a str>, Option<u32>, u8);

/// A test. Fields without a value are omitted.
#[derive(Serialize)]
struct PageTest<'a> {
    /// Target, name, status, reason, seconds.
    t: usize,
    n: &'a str,
    s: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<f64>,
    #[serde(flatten)]
    check: Option<PageCheck<'a>>,
}

#[derive(Serialize)]
struct PageCheck<'a> {
    /// Kind, scope, file, line.
    k: String,
    o: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    l: Option<u32>,
    /// The limit of bytes and its source. `g` is the growth that was compared with it.
    #[serde(rename = "L", skip_serializing_if = "Option::is_none")]
    limit: Option<(u64, String)>,
    /// The same for the peak.
    #[serde(rename = "P", skip_serializing_if = "Option::is_none")]
    peak_limit: Option<(u64, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    g: Option<i64>,
    /// Retained, released, peak, churn, unattributed.
    #[serde(rename = "F", skip_serializing_if = "Option::is_none")]
    figures: Option<[i64; 8]>,
    /// Descriptors, children and bytes of the C heap.
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<[Option<i64>; 3]>,
    /// Other exceeded limits, and regressions in `r`, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    x: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    r: Vec<String>,
    /// Bytes, blocks, stack and whether it is known, for each call site in turn.
    #[serde(rename = "S", skip_serializing_if = "Vec::is_empty")]
    sites: Vec<u64>,
    /// Growth, holders and omitted frames by the index of the call site.
    #[serde(rename = "G", skip_serializing_if = "BTreeMap::is_empty")]
    growth: BTreeMap<usize, &'a Growing>,
    #[serde(rename = "H", skip_serializing_if = "BTreeMap::is_empty")]
    holders: BTreeMap<usize, &'a [Holder]>,
    #[serde(rename = "M", skip_serializing_if = "BTreeMap::is_empty")]
    omitted_frames: BTreeMap<usize, u64>,
    #[serde(rename = "O", skip_serializing_if = "Option::is_none")]
    omitted: Option<(u64, u64)>,
    #[serde(rename = "T", skip_serializing_if = "Vec::is_empty")]
    threads: Vec<(&'a str, u32)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    a: Vec<(&'a str, u64, u64)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    u: Vec<(&'a str, &'a str, u64, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<&'a Timeline>,
    /// Why the timeline is missing although it was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline_unknown: Option<&'a str>,
    more: PageSections<'a>,
}

/// The sections with a title of their own.
#[derive(Serialize)]
struct PageSections<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    repetition: Option<&'a Repetition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decide: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fds: &'a [Fd],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    children: &'a [Child],
    #[serde(skip_serializing_if = "Option::is_none")]
    holders_unknown: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unjudged: Vec<&'a Unjudged>,
}

pub(super) fn render(run: &Run, context: &Context, out: &mut dyn Write) -> Rendered {
    let nonce = nonce();
    // Placeholders are replaced in one pass over the template, so that data cannot contain one.
    for (at, part) in PAGE.split('%').enumerate() {
        match (at % 2, part) {
            (1, "STYLE") => out.write_all(STYLE.as_bytes())?,
            (1, "SCRIPT") => {
                out.write_all(TIMELINE.as_bytes())?;
                out.write_all(SCRIPT.as_bytes())?;
            }
            (1, "NONCE") => out.write_all(nonce.as_bytes())?,
            (1, "DATA") => serde_json::to_writer(Escaping(&mut *out), &data(run, context))?,
            _ => out.write_all(part.as_bytes())?,
        }
    }
    Ok(())
}

/// A random value that no text in the data can predict, so that only the script of the page runs.
fn nonce() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// Escapes characters in JSON that could end a script or start a comment.
struct Escaping<'a>(&'a mut dyn Write);

impl Write for Escaping<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&')) {
            self.0.write_all(&rest[..at])?;
            write!(self.0, "\\u{:04x}", rest[at])?;
            rest = &rest[at + 1..];
        }
        self.0.write_all(rest)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn data<'a>(run: &'a Run, context: &'a Context) -> Data<'a> {
    let mut targets: Vec<&str> = run.tests.iter().map(|test| test.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    let test = |test: &'a Test| PageTest {
        t: targets.binary_search(&test.target.as_str()).unwrap_or(0),
        n: &test.name,
        s: Status::ALL.iter().position(|status| *status == test.status).unwrap_or(0),
        y: test.why.as_deref(),
        d: test.seconds,
        check: test.check.as_ref().map(|check| page_check(test, check)),
    };
    Data {
        meta: &run.meta,
        problems: &run.problems,
        fixed: run.fixed.iter().map(Fixed::words).collect(),
        statuses: Status::ALL.map(|status| (status.word(), status.tone())).to_vec(),
        tests: run.by_importance().into_iter().map(test).collect(),
        frames: run
            .frames
            .iter()
            .map(|f| (f.name(), f.file.as_deref(), f.line, class(f.class)))
            .collect(),
        stacks: run.stacks.iter().flat_map(|(caller, frame)| [*caller, *frame]).collect(),
        sources: context
            .sources
            .iter()
            .map(|(place, (first, lines))| (place.clone(), (*first, lines.as_slice())))
            .collect(),
        history: &context.history,
        targets: targets.clone(),
    }
}

fn page_check<'a>(test: &'a Test, check: &'a Check) -> PageCheck<'a> {
    let sites = || check.sites.iter().enumerate();
    let limit = |which: fn(&'a Limits) -> Option<&'a Limit>| {
        let limit = check.limits.as_ref().and_then(which)?;
        Some((limit.value, limit.source.to_string()))
    };
    let Growth { bytes: unattributed, .. } =
        check.figures.map(|f| f.unattributed).unwrap_or_default();
    PageCheck {
        k: check.kind.to_string(),
        o: check.scope.name(),
        f: check.file.as_deref(),
        l: check.line,
        limit: limit(|limits| limits.bytes.as_ref()),
        peak_limit: limit(|limits| limits.peak_bytes.as_ref()),
        g: test.growth(),
        figures: check.figures.map(|f| {
            let (retained, released, churn) = (f.retained, f.released, f.churn);
            let amounts = [
                retained.bytes,
                retained.blocks,
                released.bytes,
                released.blocks,
                f.peak_bytes,
                churn.bytes,
                churn.blocks,
            ];
            let signed = amounts.map(|amount| i64::try_from(amount).unwrap_or(i64::MAX));
            let [a, b, c, d, e, f, g] = signed;
            [a, b, c, d, e, f, g, unattributed]
        }),
        e: check
            .figures
            .map(|f| [f.fds, f.children, f.c_heap_bytes])
            .filter(|left| left.iter().flatten().any(|left| *left != 0)),
        x: super::excesses(check).collect(),
        r: check.regressions.iter().map(Regression::words).collect(),
        sites: check
            .sites
            .iter()
            .flat_map(|site| [site.bytes, site.blocks, site.stack.into(), site.known.into()])
            .collect(),
        growth: sites().filter_map(|(at, site)| Some((at, site.growth.as_ref()?))).collect(),
        holders: sites()
            .filter(|(_, site)| !site.holders.is_empty())
            .map(|(at, site)| (at, site.holders.as_slice()))
            .collect(),
        omitted_frames: sites()
            .filter(|(_, site)| site.omitted_frames > 0)
            .map(|(at, site)| (at, site.omitted_frames))
            .collect(),
        omitted: (check.omitted_sites > 0).then_some((check.omitted_sites, check.omitted.bytes)),
        threads: check.threads.iter().map(|t| (t.name.as_str(), t.stack)).collect(),
        a: check
            .allowed
            .iter()
            .map(|a| (a.why.as_str(), a.amount.bytes, a.amount.blocks))
            .collect(),
        u: check
            .suppressed
            .iter()
            .filter(|s| s.amount.blocks > 0)
            .map(|s| {
                (
                    s.rule.as_str(),
                    s.why.as_deref().unwrap_or("LEAK_SUPPRESSIONS"),
                    s.amount.bytes,
                    s.amount.blocks,
                )
            })
            .collect(),
        timeline: check.more.timeline.as_ref(),
        timeline_unknown: check.more.timeline_unknown.as_deref(),
        more: sections(test, check),
    }
}

/// The sections that are relevant: the command that decides about a leak only if there is one, and
/// unjudged figures only if they have a limit.
fn sections<'a>(test: &Test, check: &'a Check) -> PageSections<'a> {
    let leaks = matches!(test.status, Status::Leaked | Status::Known);
    let is_limited = |unjudged: &&Unjudged| {
        check.limits.as_ref().is_some_and(|limits| limits.of(unjudged.figure).is_some())
    };
    PageSections {
        repetition: check.more.repetition.as_ref(),
        decide: check.more.decide.as_deref().filter(|_| leaks),
        fds: &check.more.fds,
        children: &check.more.children,
        holders_unknown: check.more.holders_unknown.as_deref(),
        unjudged: check.more.unjudged.iter().filter(is_limited).collect(),
    }
}

/// The number of a class in the script of the page.
fn class(class: Class) -> u8 {
    match class {
        Class::User => 0,
        Class::Dependency => 1,
        Class::Std => 2,
        Class::Harness => 3,
        _ => 4,
    }
}
