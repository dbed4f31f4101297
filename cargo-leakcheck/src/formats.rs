//! The formats of reports. Each is a function from a run to bytes and knows nothing of files.

mod dhat;
mod folded;
pub(crate) mod github;
mod gitlab;
mod html;
mod json;
mod junit;
mod markdown;
mod pprof;
mod rendered;
mod sarif;
mod speedscope;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use leakcheck_report::format::{counted, size};
use leakcheck_report::{Class, Frame, text};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{Check, Regression, Run, Site, Status, Test};

/// A format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// A page for a browser, in one file.
    Html,
    /// The complete run.
    Json,
    /// For CI systems that list tests.
    Junit,
    /// For code scanning.
    Sarif,
    /// For GitLab's code quality reports.
    Gitlab,
    /// For a comment on a change.
    Markdown,
    /// One line per stack, for flame graphs.
    Folded,
    /// For speedscope.app.
    Speedscope,
    /// For DHAT's viewer.
    Dhat,
    /// For `pprof` and tools that read its profiles.
    Pprof,
}

/// The names of formats and the file name endings that imply them. The first match wins.
const FORMATS: [(Format, &str, &[&str]); 10] = [
    (Format::Html, "html", &[".html", ".htm"]),
    (Format::Speedscope, "speedscope", &[".speedscope.json"]),
    (Format::Dhat, "dhat", &[".dhat.json", "dhat-heap.json"]),
    (Format::Gitlab, "gitlab", &["gl-code-quality-report.json"]),
    (Format::Sarif, "sarif", &[".sarif", ".sarif.json"]),
    (Format::Json, "json", &[".json"]),
    (Format::Junit, "junit", &[".xml"]),
    (Format::Markdown, "markdown", &[".md"]),
    (Format::Folded, "folded", &[".folded"]),
    (Format::Pprof, "pprof", &[".pb.gz", ".pprof"]),
];

/// A report to write: `html=report.html`, or a file whose extension implies the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) format: Format,
    pub(crate) path: PathBuf,
}

/// What reports show in addition to the run.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Excerpts by `file:line`: the number of the first line, and the lines.
    pub(crate) sources: BTreeMap<String, (u32, Vec<String>)>,
    /// Earlier runs, the oldest first.
    pub(crate) history: Vec<Past>,
}

/// The figures of an earlier run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, serde::Deserialize)]
pub(crate) struct Past {
    pub(crate) date: String,
    pub(crate) commit: Option<String>,
    pub(crate) subject: Option<String>,
    /// Net growth, peak and churn of each test.
    pub(crate) tests: BTreeMap<String, (i64, u64, u64)>,
}

/// Writes a run in a format.
pub(crate) fn render(
    format: Format,
    run: &Run,
    context: &Context,
    out: &mut dyn Write,
) -> Result<()> {
    let rendered = match format {
        Format::Html => html::render(run, context, out),
        Format::Json => json::render(run, out),
        Format::Junit => junit::render(run, out),
        Format::Sarif => sarif::render(run, out),
        Format::Gitlab => gitlab::render(run, out),
        Format::Markdown => markdown::render(run, out),
        Format::Folded => folded::render(run, out),
        Format::Speedscope => speedscope::render(run, out),
        Format::Dhat => dhat::render(run, out),
        Format::Pprof => pprof::render(run, out),
    };
    let word = format.word();
    rendered.map_err(|why| Error::unusable(format!("the {word} report cannot be written: {why}")))
}

impl Format {
    pub(crate) fn word(self) -> &'static str {
        FORMATS.iter().find(|(format, ..)| *format == self).map_or("", |(_, word, _)| word)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if let Some((word, path)) = text.split_once('=')
            && let Some((format, ..)) = FORMATS.iter().find(|(_, known, _)| *known == word)
        {
            return if path.is_empty() {
                Err(format!("`{word}=` is not followed by a file"))
            } else {
                Ok(Self { format: *format, path: path.into() })
            };
        }
        let fits = |ends: &[&str]| ends.iter().any(|end| text.ends_with(end));
        match FORMATS.iter().find(|(_, _, ends)| fits(ends)) {
            Some((format, ..)) => Ok(Self { format: *format, path: text.into() }),
            None => {
                let words: Vec<&str> = FORMATS.iter().map(|(_, word, _)| *word).collect();
                let words = words.join(", ");
                Err(format!(
                    "its extension does not imply a format; write `FORMAT=FILE` with one of {words}"
                ))
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.format.word(), self.path.display())
    }
}

impl Target {
    /// Resolves the path against a directory.
    pub(crate) fn below(self, directory: &Path) -> Self {
        Self { path: directory.join(self.path), ..self }
    }
}

/// A leak that is shown at a line of code.
struct Leak<'a> {
    test: &'a Test,
    site: &'a Site,
    /// The frame of the user's own code that is nearest to the allocation.
    leaf: Option<&'a Frame>,
    known: bool,
}

/// The number of call sites that are shown for each test.
const MOST_OF_A_TEST: usize = 10;

/// The leaks of a run, the largest of each test first. Known leaks are included and marked.
fn leaks(run: &Run) -> impl Iterator<Item = Leak<'_>> {
    let leaking = |test: &&Test| matches!(test.status, Status::Leaked | Status::Known);
    run.by_importance().into_iter().filter(leaking).flat_map(move |test| {
        test.sites().iter().take(MOST_OF_A_TEST).map(move |site| Leak {
            test,
            site,
            leaf: run.leaf(site.stack),
            known: site.known || test.status == Status::Known,
        })
    })
}

impl Leak<'_> {
    /// The line in the project that allocates, or the line of the test.
    fn place(&self) -> Option<(&str, u32)> {
        let of_user = self.leaf.filter(|frame| frame.class == Class::User);
        let leaf = of_user.and_then(|frame| Some((frame.file.as_deref()?, frame.line?)));
        let check = || {
            let check = self.test.check.as_ref()?;
            Some((check.file.as_deref()?, check.line?))
        };
        leaf.or_else(check).filter(|(file, _)| !Path::new(file).is_absolute())
    }

    /// `tests::evicts leaks 3.00 MiB in 1 block, allocated in app::insert`
    fn words(&self) -> String {
        let blocks = counted(self.site.blocks, "block");
        let known = if self.known { " (known)" } else { "" };
        let leaf = self.leaf.map_or_else(|| "an unknown place".into(), Frame::short_name);
        format!(
            "`{}` leaks {} in {blocks}, allocated in `{leaf}`{known}",
            self.test.name,
            size(self.site.bytes)
        )
    }
}

/// Why a test counts as leaking, in one line.
fn headline(test: &Test) -> String {
    let check = test.check.as_ref();
    match (test.status, check.and_then(|check| check.excesses.first())) {
        (Status::Leaked | Status::Known, Some(_)) => {
            let words: Vec<String> = check.map(excesses).into_iter().flatten().collect();
            format!("`{}` {}: {}", test.name, test.status.word(), words.join("; "))
        }
        (Status::Regressed, _) => {
            let words: Vec<String> =
                check.iter().flat_map(|check| &check.regressions).map(Regression::words).collect();
            format!("`{}` regressed: {}", test.name, words.join("; "))
        }
        _ => {
            let why = test.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("`{}` {}{why}", test.name, test.status.word())
        }
    }
}

/// The figures that exceed their limits, in words.
fn excesses(check: &Check) -> impl Iterator<Item = String> {
    let repetition = check.more.repetition.as_ref();
    check.excesses.iter().map(move |excess| text::excess(excess, repetition))
}

#[cfg(test)]
pub(crate) mod tests;
