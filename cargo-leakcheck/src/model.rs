//! The result of a run: the model that every report is made from.
//!
//! Its parts are those of a report, from `leakcheck-report`, except for frames and call stacks. Each is
//! stored only once, so that thousands of tests with a hundred call sites each take a few dozen MiB.
//! `docs/run-schema.md` describes the JSON form.

mod intern;
mod status;

use std::borrow::Cow;

use leakcheck_report::format::signed_size;
use leakcheck_report::run::Program;
use leakcheck_report::{
    Allowed, Amount, Child, Class, Excess, Fd, Figure, Figures, Frame, Growing, Growth, Holder,
    Kind, Limits, Repetition, Scope, Skip, Stacks, Suppressed, Symbols, Timeline, Unjudged,
};
use serde::{Deserialize, Serialize};

pub(crate) use intern::{FrameIn, Interner};
pub(crate) use status::{Status, Tone};

/// The version of the run's schema. It changes when a reader of the previous version would misread a
/// run.
pub(crate) const SCHEMA: u32 = 1;

/// A run of a suite, or several merged runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) schema: u32,
    /// The version of the command.
    pub(crate) cargo_leakcheck: String,
    pub(crate) meta: Meta,
    /// What is missing or cannot be read. With problems, the verdict is unreliable.
    pub(crate) problems: Vec<String>,
    pub(crate) tests: Vec<Test>,
    /// The test programs that were started, and how each ended. Their tests are in
    /// [`tests`](Self::tests).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) programs: Vec<Program>,
    /// Entries of the baseline that are fixed.
    #[serde(default)]
    pub(crate) fixed: Vec<Fixed>,
    /// Every distinct frame.
    pub(crate) frames: Vec<Frame>,
    /// Every distinct stack: the stack of its caller, an index into this list counted from 1 with 0 for
    /// none, and the frame on top of it.
    pub(crate) stacks: Vec<(u32, u32)>,
}

/// How a run was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// Seconds since 1970.
    pub(crate) started: u64,
    pub(crate) seconds: f64,
    /// `cargo test` or `cargo nextest`.
    pub(crate) runner: String,
    pub(crate) commit: Option<String>,
    /// The first line of the commit's message.
    #[serde(default)]
    pub(crate) commit_subject: Option<String>,
    /// Whether files differed from the commit.
    #[serde(default)]
    pub(crate) dirty: bool,
    /// Whether only some of the tests were selected.
    #[serde(default)]
    pub(crate) selected: bool,
    /// The part of the suite, if several machines share it.
    #[serde(default)]
    pub(crate) shard: Option<Shard>,
    /// Whether leaks are reported without failing the run.
    #[serde(default)]
    pub(crate) warn_only: bool,
    /// The file of the baseline, if there was one.
    #[serde(default)]
    pub(crate) baseline: Option<String>,
}

/// One part of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Shard {
    pub(crate) index: u32,
    pub(crate) count: u32,
}

/// A test and its result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Test {
    /// Its target's folder: `app`, `app/bin/tool` or `app/tests/api`.
    pub(crate) target: String,
    pub(crate) name: String,
    pub(crate) status: Status,
    /// The reason of a status that has one.
    pub(crate) why: Option<String>,
    /// Why the check was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) skip: Option<Skip>,
    /// The duration of its check, or of the test if there is none.
    pub(crate) seconds: Option<f64>,
    /// The result of its check, if it has one.
    pub(crate) check: Option<Check>,
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) kind: Kind,
    pub(crate) scope: Scope,
    /// The source file with the check and its line.
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) limits: Option<Limits>,
    /// The figures that exceed their limits.
    pub(crate) excesses: Vec<Excess>,
    pub(crate) judged: Option<Growth>,
    pub(crate) figures: Option<Figures>,
    /// Call sites that retain memory, the largest first.
    pub(crate) sites: Vec<Site>,
    pub(crate) omitted_sites: u64,
    pub(crate) omitted: Amount,
    pub(crate) siteless: Amount,
    pub(crate) allowed: Vec<Allowed>,
    pub(crate) suppressed: Vec<Suppressed>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) call_stacks: Stacks,
    pub(crate) symbols: Symbols,
    /// Figures that exceed the baseline by more than their tolerance.
    #[serde(default)]
    pub(crate) regressions: Vec<Regression>,
    /// Sections that most reports lack.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) more: Sections,
}

/// Sections that most reports lack, as in the report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sections {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repetition: Option<Repetition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decide: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fds: Vec<Fd>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Child>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unjudged: Vec<Unjudged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) holders_unknown: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeline: Option<Timeline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeline_unknown: Option<String>,
}

/// A distinct call stack that retains memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Site {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    /// The index of the stack in [`Run::stacks`], counted from 1; 0 if it was not captured.
    pub(crate) stack: u32,
    /// Stays the same when lines move, in other folders and in other builds.
    #[serde(with = "hex")]
    pub(crate) fingerprint: u64,
    /// Whether the baseline lists it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) known: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) omitted_frames: u64,
    /// Growth by batch, if the body was repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) growth: Option<Growing>,
    /// What keeps its blocks alive, if known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) holders: Vec<Holder>,
}

/// A thread that was still running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Thread {
    pub(crate) name: String,
    /// The stack that started it; see [`Site::stack`].
    pub(crate) stack: u32,
}

/// A figure that exceeds the baseline by more than its tolerance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Regression {
    pub(crate) figure: Compared,
    pub(crate) before: i64,
    pub(crate) now: i64,
    /// The largest value that would have passed.
    pub(crate) tolerated: i64,
}

/// A figure that is compared with the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compared {
    NetGrowth,
    Peak,
    Churn,
    /// Another figure, which exceeds its limit.
    #[serde(untagged)]
    Excess(Figure),
}

/// An entry of the baseline that is fixed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fixed {
    pub(crate) test: String,
    pub(crate) fingerprint: String,
    pub(crate) at: String,
    /// The figure that is within its limit again; `None` if a call site no longer leaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) figure: Option<Figure>,
}

impl Run {
    /// An empty run.
    pub(crate) fn new(meta: Meta) -> Self {
        Self {
            schema: SCHEMA,
            cargo_leakcheck: env!("CARGO_PKG_VERSION").to_owned(),
            meta,
            ..Self::default()
        }
    }

    /// The frames of a stack, the allocation first and the test's body last.
    pub(crate) fn stack(&self, stack: u32) -> impl Iterator<Item = &Frame> {
        self.frame_indices(stack).filter_map(|frame| self.frames.get(frame as usize))
    }

    /// The same as indices into [`Run::frames`].
    pub(crate) fn frame_indices(&self, mut stack: u32) -> impl Iterator<Item = u32> {
        std::iter::from_fn(move || {
            let (caller, frame) = *self.stacks.get(stack.checked_sub(1)? as usize)?;
            // A caller has a lower index than its callees. Anything else is invalid.
            stack = if caller < stack { caller } else { 0 };
            Some(frame)
        })
    }

    /// The most relevant frame: the first of the user's code, else of a dependency, else any.
    pub(crate) fn leaf(&self, stack: u32) -> Option<&Frame> {
        let of = |class: Class| self.stack(stack).find(|frame| frame.class == class);
        of(Class::User).or_else(|| of(Class::Dependency)).or_else(|| self.stack(stack).next())
    }

    /// The number of tests with one of these statuses.
    pub(crate) fn count(&self, statuses: &[Status]) -> usize {
        self.tests.iter().filter(|test| statuses.contains(&test.status)).count()
    }

    /// The tests by importance: by status, then by growth.
    pub(crate) fn by_importance(&self) -> Vec<&Test> {
        let mut tests: Vec<&Test> = self.tests.iter().collect();
        tests.sort_by_cached_key(|test| {
            (test.status, std::cmp::Reverse(test.growth().unwrap_or(i64::MIN)), test.id())
        });
        tests
    }
}

impl Test {
    /// Identifies the test in the workspace.
    pub(crate) fn id(&self) -> String {
        format!("{}::{}", self.target, self.name)
    }

    /// The growth that was compared with the limit.
    pub(crate) fn growth(&self) -> Option<i64> {
        let check = self.check.as_ref()?;
        let net = || check.figures.map(|figures| figures.net_growth);
        check.judged.or_else(net).map(|growth| growth.bytes)
    }

    /// Whether a figure exceeds its limit, known or not.
    pub(crate) fn is_over(&self) -> bool {
        self.check.as_ref().is_some_and(|check| !check.excesses.is_empty())
    }

    /// The number of calls of its body, if it was repeated.
    pub(crate) fn calls(&self) -> Option<u64> {
        let repetition = self.check.as_ref()?.more.repetition.as_ref()?;
        Some(repetition.calls() + repetition.warmup)
    }

    pub(crate) fn figures(&self) -> Option<&Figures> {
        self.check.as_ref()?.figures.as_ref()
    }

    pub(crate) fn sites(&self) -> &[Site] {
        self.check.as_ref().map_or(&[], |check| &check.sites)
    }
}

impl Site {
    /// Bytes per call of a repeated body, if this call site leaks.
    pub(crate) fn per_call(&self) -> Option<i64> {
        let growth = self.growth.as_ref().filter(|growth| growth.severity.is_some())?;
        Some(growth.bytes_per_call as i64)
    }
}

impl Run {
    /// The function that allocated and its `file:line`, as far as known.
    pub(crate) fn allocated_at(&self, stack: u32) -> (String, String) {
        let leaf = self.leaf(stack);
        let name = leaf.map_or_else(|| "unknown".into(), Frame::short_name).into_owned();
        (name, leaf.and_then(Frame::place).unwrap_or_default())
    }
}

impl Regression {
    /// `net growth was 3.00 MiB, is 8.00 MiB, tolerated up to 3.30 MiB`
    pub(crate) fn words(&self) -> String {
        let [before, now, tolerated] = self.shown();
        let what = if self.figure.is_bytes() { "" } else { "the number of " };
        let name = self.figure.words();
        format!("{what}{name} was {before}, is {now}, tolerated up to {tolerated}")
    }

    /// The values before and now, and the largest tolerated value.
    pub(crate) fn shown(&self) -> [String; 3] {
        let of =
            |value| if self.figure.is_bytes() { signed_size(value) } else { value.to_string() };
        [self.before, self.now, self.tolerated].map(of)
    }
}

impl Compared {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NetGrowth => "net growth",
            Self::Peak => "peak",
            Self::Churn => "churn",
            Self::Excess(figure) => words(figure),
        }
    }

    fn is_bytes(self) -> bool {
        match self {
            Self::NetGrowth | Self::Peak | Self::Churn => true,
            Self::Excess(figure) => figure.is_bytes(),
        }
    }
}

impl Fixed {
    /// `app::tests::evicts no longer leaks at app::insert`
    pub(crate) fn words(&self) -> String {
        match self.figure() {
            Some(figure) => format!("{} is within its limit of {figure}", self.test),
            None => format!("{} no longer leaks at {}", self.test, self.at),
        }
    }

    /// The figure that is within its limit again.
    pub(crate) fn figure(&self) -> Option<&'static str> {
        self.figure.map(words)
    }
}

/// The name of a figure in tables and messages.
fn words(figure: Figure) -> &'static str {
    match figure {
        Figure::PeakBytes => "peak",
        Figure::Fds => "open file descriptors",
        Figure::Threads => "running threads",
        Figure::Children => "child processes",
        Figure::CHeapBytes => "growth of the C heap",
        Figure::LostBytes => "lost memory",
        Figure::BytesPerCall => "memory per call",
        Figure::ThreadsPerCall => "running threads per call",
        Figure::FdsPerCall => "open file descriptors per call",
        Figure::ChildrenPerCall => "child processes per call",
        Figure::CHeapBytesPerCall => "growth of the C heap per call",
        other => other.name(),
    }
}

/// A text that borrows from its file unless it contains escapes.
#[derive(Clone, Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn is_false(value: &bool) -> bool {
    !value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Fingerprints in hexadecimal digits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{value:016x}"))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<u64, D::Error> {
        let text = <super::Cow<'_, str>>::deserialize(from)?;
        u64::from_str_radix(&text, 16)
            .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), &"a fingerprint"))
    }
}
