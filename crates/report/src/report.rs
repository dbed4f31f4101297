//! The report of one check. It knows nothing of allocators; text and JSON are made from it.

use serde::Serialize;

use crate::amount::{Allowed, Amount, Growth};
use crate::call_site::CallSite;
use crate::frame::{Class, Frame};
use crate::holder::FoundBy;
use crate::kind::Kind;
use crate::limit::Limits;
use crate::repetition::Repetition;
use crate::resource::{Child, Fd, Thread};
use crate::scope::{Scope, Stacks};
use crate::timeline::Timeline;
use crate::verdict::{Unjudged, Verdict};

/// The version of the report's schema. It changes when a reader of the last version would misread a
/// report.
pub const SCHEMA: u32 = 1;

/// The result of one check. The schema is described in `docs/report-schema.md`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of leakcheck that wrote the report.
    pub leakcheck: String,
    /// Which check.
    pub test: Test,
    /// The verdict.
    pub verdict: Verdict,
    /// What the figures were compared with; none where nothing was judged.
    pub limits: Option<Limits>,
    /// What was compared with the limits of bytes and blocks: without what was allowed and
    /// suppressed.
    pub judged: Option<Growth>,
    /// The figures; none where nothing was measured.
    pub figures: Option<Figures>,
    /// How the body was repeated and what that showed; none where it ran once.
    #[serde(default)]
    pub repetition: Option<Repetition>,
    /// The command that repeats the body to distinguish a leak from a warm-up; where it ran once and
    /// can be repeated.
    #[serde(default)]
    pub decide: Option<String>,
    /// The call sites that retain memory: first those that leak in every iteration, then the largest.
    pub call_sites: Vec<CallSite>,
    /// Why it is not known what keeps the blocks alive, where that was asked for.
    #[serde(default)]
    pub holders_unknown: Option<String>,
    /// How it was found out what keeps the blocks alive; none where it is not known.
    #[serde(default)]
    pub holders_by: Option<FoundBy>,
    /// The call sites that are not listed, together.
    pub omitted: Omitted,
    /// What is retained at unknown call sites.
    pub siteless: Amount,
    /// Memory that is meant to stay.
    pub allowed: Vec<Allowed>,
    /// Known noise.
    pub suppressed: Vec<Suppressed>,
    /// Threads that were started inside the region and still run.
    pub threads: Vec<Thread>,
    /// File descriptors that were opened inside the region and are still open, up to
    /// three hundred.
    #[serde(default)]
    pub fds: Vec<Fd>,
    /// Child processes that were started inside the region and that nobody has waited for, up to
    /// three hundred.
    #[serde(default)]
    pub children: Vec<Child>,
    /// Figures that are not known well enough to be judged.
    #[serde(default)]
    pub unjudged: Vec<Unjudged>,
    /// The blocks whose call stacks were captured, as `LEAK_STACKS` says. With a sample, the figures
    /// of call sites are estimates. All other figures are exact in any case.
    pub call_stacks: Stacks,
    /// How complete the names of the call sites are.
    pub symbols: Symbols,
    /// Why there are no names, where a file with names cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols_unknown: Option<String>,
    /// Live bytes over time, where they were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// Why they were not, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline_unknown: Option<String>,
}

/// Which check a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Test {
    /// The name that libtest has for it: modules and function.
    pub name: String,
    /// The package, as cargo names it.
    pub package: Option<String>,
    /// The program, for tests inside one.
    pub binary: Option<String>,
    /// The crate that the test was compiled in.
    #[serde(rename = "crate")]
    pub krate: Option<String>,
    /// Whether it was compiled as an integration test.
    pub integration: bool,
    /// The type of the test.
    pub kind: Kind,
    /// Which threads were watched.
    pub scope: Scope,
    /// The source file with the check, as the compiler was given it.
    pub file: Option<String>,
    /// The line of the check in that file.
    pub line: Option<u32>,
}

/// The figures of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Figures {
    /// Retained minus released.
    pub net_growth: Growth,
    /// Blocks that the region owns and that were live at its end.
    pub retained: Amount,
    /// Blocks that the region did not own and that its threads freed.
    pub released: Amount,
    /// The most bytes that were live at once.
    pub peak_bytes: u64,
    /// What was allocated in total.
    pub churn: Amount,
    /// Growth of the process in the same stretch that no open region owns.
    pub unattributed: Growth,
    /// File descriptors that were opened inside the region and are still open; none where that is not
    /// known.
    #[serde(default)]
    pub fds: Option<i64>,
    /// Child processes that were started inside the region and that nobody has waited for; none where
    /// that is not known.
    #[serde(default)]
    pub children: Option<i64>,
    /// Bytes by which the C heap of the process has grown at least; none where that is not known.
    #[serde(default)]
    pub c_heap_bytes: Option<i64>,
    /// The allocator's events.
    pub events: Events,
    /// How long the body ran, in microseconds: until the region was first measured.
    #[serde(default)]
    pub elapsed_us: u64,
}

/// Events of the allocator: of the whole process in process scope, else of the region. Bytes
/// allocated minus bytes deallocated is the net growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Events {
    /// Blocks that were allocated.
    pub allocations: u64,
    /// Blocks that were freed.
    pub deallocations: u64,
    /// Blocks whose size was changed.
    pub reallocations: u64,
    /// Bytes that were allocated, by growing blocks too.
    pub bytes_allocated: u64,
    /// Bytes that were freed, by shrinking blocks too.
    pub bytes_deallocated: u64,
    /// By how much reallocations enlarged blocks in total; part of the two above.
    pub bytes_reallocated: i64,
}

/// The call sites that a list does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Omitted {
    /// How many call sites.
    pub call_sites: u64,
    /// What they retain together.
    #[serde(flatten)]
    pub amount: Amount,
}

/// Known noise that was excluded from the verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Suppressed {
    /// The rule as it was written.
    pub rule: String,
    /// What it is for; none for a rule of the user's file, which gives no reason.
    pub why: Option<String>,
    /// How much of the retained memory it excluded.
    #[serde(flatten)]
    pub amount: Amount,
    /// How much of the released memory it excluded.
    pub released: Amount,
}

/// How complete the names of call sites are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Symbols {
    /// Functions, files and lines.
    #[default]
    Lines,
    /// Functions alone: the program has no debug information.
    Functions,
    /// Addresses alone: the program was stripped.
    Addresses,
}

impl Test {
    /// The frame of the test's body, as the debug information would name it.
    pub fn body(&self) -> Frame {
        let function = match &self.krate {
            Some(krate) => format!("{krate}::{}", self.name),
            None => self.name.clone(),
        };
        let place = (self.file.clone(), self.line);
        Frame { file: place.0, line: place.1, ..Frame::of_function(function, Class::User) }
    }

    /// The command that repeats the test until it is clear what leaks.
    pub fn decide(&self) -> Option<String> {
        let package = self.package.as_ref()?;
        let target = match (&self.binary, self.integration, &self.krate) {
            (Some(binary), ..) => format!(" --bin {binary}"),
            (None, true, Some(target)) => format!(" --test {target}"),
            _ => String::new(),
        };
        let name = &self.name;
        Some(format!("LEAK_ITERATIONS=auto cargo test -p {package}{target} -- --exact {name}"))
    }
}

impl Omitted {
    /// So many call sites, and what they retain together.
    pub fn new(call_sites: u64, amount: Amount) -> Self {
        Self { call_sites, amount }
    }
}

impl Suppressed {
    /// A rule that has excluded nothing yet.
    pub fn new(rule: impl Into<String>, why: Option<&str>) -> Self {
        Self { rule: rule.into(), why: why.map(str::to_owned), ..Self::default() }
    }
}

impl Report {
    /// A report without figures.
    pub fn new(test: Test, verdict: Verdict) -> Self {
        Self {
            schema: SCHEMA,
            leakcheck: env!("CARGO_PKG_VERSION").to_owned(),
            test,
            verdict,
            limits: None,
            judged: None,
            figures: None,
            repetition: None,
            decide: None,
            call_sites: Vec::new(),
            holders_unknown: None,
            holders_by: None,
            omitted: Omitted::default(),
            siteless: Amount::default(),
            allowed: Vec::new(),
            suppressed: Vec::new(),
            threads: Vec::new(),
            fds: Vec::new(),
            children: Vec::new(),
            unjudged: Vec::new(),
            call_stacks: Stacks::default(),
            symbols: Symbols::default(),
            symbols_unknown: None,
            timeline: None,
            timeline_unknown: None,
        }
    }

    /// Whether it is settled what keeps the blocks alive, or that it is not known.
    pub fn knows_holders(&self) -> bool {
        self.holders_by.is_some() || self.holders_unknown.is_some()
    }

    /// How many bytes are lost.
    pub fn lost_bytes(&self) -> u64 {
        self.call_sites.iter().map(CallSite::lost_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_selects_the_test() {
        let test = Test {
            name: "cache::tests::evicts".into(),
            package: Some("app".into()),
            krate: Some("app".into()),
            ..Test::default()
        };
        assert_eq!(
            test.decide().unwrap(),
            "LEAK_ITERATIONS=auto cargo test -p app -- --exact cache::tests::evicts"
        );
        let test =
            Test { integration: true, krate: Some("api".into()), name: "serves".into(), ..test };
        assert_eq!(
            test.decide().unwrap(),
            "LEAK_ITERATIONS=auto cargo test -p app --test api -- --exact serves"
        );
        assert_eq!(Test::default().decide(), None);
    }
}
