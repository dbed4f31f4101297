//! JSON reports, read without leakcheck's own types, as another program would.

use serde::Deserialize;

/// A report.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    /// Which check.
    pub test: Test,
    /// The verdict.
    pub verdict: Verdict,
    /// The limits, by name.
    pub limits: Option<serde_json::Value>,
    /// What was compared with the limits.
    pub judged: Option<Growth>,
    /// The figures; see [`Report::figures`].
    pub figures: Option<Figures>,
    /// How the body was repeated.
    pub repetition: Option<Repetition>,
    /// The command that repeats the body.
    pub decide: Option<String>,
    /// The call sites that retain memory.
    pub call_sites: Vec<CallSite>,
    /// The call sites that are not listed.
    pub omitted: Omitted,
    /// What is retained at unknown call sites.
    pub siteless: Amount,
    /// Memory that is meant to stay.
    pub allowed: Vec<Allowed>,
    /// Known noise.
    pub suppressed: Vec<Suppressed>,
    /// Threads that still run.
    pub threads: Vec<Thread>,
    /// `full`, `sampled` or `off`.
    pub call_stacks: String,
    /// How complete the names are.
    pub symbols: String,
    /// File descriptors that are still open.
    pub fds: Vec<Fd>,
    /// Child processes that nobody has waited for.
    pub children: Vec<Child>,
    /// Figures that could not be judged.
    pub unjudged: Vec<Unjudged>,
    /// The complete JSON.
    #[serde(skip)]
    pub json: serde_json::Value,
}

/// What keeps blocks of a call site alive.
#[derive(Clone, Debug, Deserialize)]
pub struct Holder {
    /// Whether and from where they are reachable.
    pub class: String,
    /// How many bytes.
    pub bytes: u64,
    /// How many blocks.
    pub blocks: u64,
    /// The retained size.
    pub retained_bytes: u64,
    /// The reference path.
    pub path: String,
    /// How many blocks a cycle has.
    pub members: u64,
}

/// Which check a report is about.
#[derive(Clone, Debug, Deserialize)]
pub struct Test {
    /// As libtest names it.
    pub name: String,
    /// `unit`, `integration` or `long_running`.
    pub kind: String,
    /// `test` or `process`.
    pub scope: String,
}

/// The verdict.
#[derive(Clone, Debug, Deserialize)]
pub struct Verdict {
    /// `passed`, `leaked`, `skipped` or `not_judged`.
    pub is: String,
    /// The reason, for the last two.
    pub reason: Option<serde_json::Value>,
}

/// An amount of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Amount {
    /// In bytes.
    pub bytes: u64,
    /// In blocks.
    pub blocks: u64,
}

/// A difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Growth {
    /// In bytes.
    pub bytes: i64,
    /// In blocks.
    pub blocks: i64,
}

/// The figures of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Figures {
    /// Retained minus released.
    pub net_growth: Growth,
    /// Memory that was owned and live at the end.
    pub retained: Amount,
    /// Memory that was freed without being owned.
    pub released: Amount,
    /// The most that was live at once.
    pub peak_bytes: u64,
    /// What was allocated in total.
    pub churn: Amount,
    /// Growth that no region owns.
    pub unattributed: Growth,
    /// The allocator's events.
    pub events: Events,
}

/// The allocator's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Events {
    /// Blocks that were allocated.
    pub allocations: u64,
    /// Blocks that were freed.
    pub deallocations: u64,
    /// Blocks whose size was changed.
    pub reallocations: u64,
    /// Bytes that were allocated.
    pub bytes_allocated: u64,
    /// Bytes that were freed.
    pub bytes_deallocated: u64,
    /// By how much reallocations enlarged blocks in total.
    pub bytes_reallocated: i64,
}

/// A call stack that retains memory.
#[derive(Clone, Debug, Deserialize)]
pub struct CallSite {
    /// What it retains.
    #[serde(flatten)]
    pub amount: Amount,
    /// The allocation first.
    pub frames: Vec<Frame>,
    /// How many frames of a deep recursion are missing.
    pub omitted_frames: u64,
    /// How it grew, where the body was repeated.
    pub growth: Option<Growing>,
    /// What keeps its blocks alive.
    pub holders: Vec<Holder>,
}

/// The growth of a call site.
#[derive(Clone, Debug, Deserialize)]
pub struct Growing {
    /// `leak`, `warm_up`, `filling_cache` or `plateau`.
    pub class: String,
    /// By batch.
    pub bytes: Vec<i64>,
    /// Over the last batches.
    pub bytes_per_call: f64,
    /// For leaks.
    pub severity: Option<String>,
    /// Where something is known.
    pub advice: Option<String>,
}

/// How a body was repeated.
#[derive(Clone, Debug, Deserialize)]
pub struct Repetition {
    /// Before the judged calls.
    pub warmup: u64,
    /// Calls by batch.
    pub batches: Vec<u64>,
    /// Why there were no more.
    pub stopped: String,
    /// The growth rate of all leaks.
    pub bytes_per_call: f64,
    /// Of resources other than memory.
    pub resources: Vec<GrowingResource>,
    /// Which leaks would have been seen.
    pub sensitivity: Sensitivity,
}

/// The growth of a resource other than memory.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct GrowingResource {
    /// `threads`, `fds` and so on.
    pub what: String,
    /// As of a call site.
    pub class: String,
    /// Over the last batches.
    pub per_call: f64,
}

/// Which leaks a repetition would have seen.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Sensitivity {
    /// The smallest leak.
    pub bytes_per_call: f64,
    /// The rarest.
    pub every: u64,
    /// Growth that is not decided.
    pub still_growing: f64,
}

/// The call sites that a list does not show.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Omitted {
    /// What they retain.
    #[serde(flatten)]
    pub amount: Amount,
}

/// A function of a call stack.
#[derive(Clone, Debug, Deserialize)]
pub struct Frame {
    /// Its path.
    pub function: Option<String>,
    /// Its source file.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
}

/// Memory that is meant to stay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Allowed {
    /// The reason.
    pub why: String,
    /// How much of it is retained.
    #[serde(flatten)]
    pub amount: Amount,
}

/// Known noise.
#[derive(Clone, Debug, Deserialize)]
pub struct Suppressed {
    /// The rule as written.
    pub rule: String,
    /// What it is for.
    pub why: Option<String>,
    /// What it excluded.
    #[serde(flatten)]
    pub amount: Amount,
}

/// A thread that still runs.
#[derive(Clone, Debug, Deserialize)]
pub struct Thread {
    /// Its name.
    pub name: String,
    /// The call stack that started it.
    pub started_at: Vec<Frame>,
}

/// A file descriptor that is still open.
#[derive(Clone, Debug, Deserialize)]
pub struct Fd {
    /// Its number.
    pub number: i32,
    /// What it points to.
    pub target: String,
    /// The call stack that opened it.
    pub opened_at: Vec<Frame>,
}

/// A child process that was not waited for.
#[derive(Clone, Debug, Deserialize)]
pub struct Child {
    /// What runs in it.
    pub command: String,
    /// `running` or `exited`.
    pub state: String,
    /// The call stack that started it.
    pub started_at: Vec<Frame>,
}

/// A figure that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Unjudged {
    /// Which.
    pub figure: String,
    /// The reason.
    pub why: String,
}

impl Report {
    /// The number at a JSON pointer, if there is one.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.json.pointer(pointer)?.as_i64()
    }

    /// Whether the check failed because the limit of a figure could not be judged.
    pub fn is_unjudged(&self, figure: &str) -> bool {
        let limits = self.verdict.reason.iter().flat_map(|reason| reason["limits"].as_array());
        limits.flatten().any(|limit| limit["figure"] == figure)
    }

    /// Whether a figure is not known, with or without a limit.
    pub fn leaves_unjudged(&self, figure: &str) -> bool {
        self.unjudged.iter().any(|unjudged| unjudged.figure == figure)
    }

    /// The figures of a check that measured.
    #[track_caller]
    pub fn figures(&self) -> Figures {
        self.figures.unwrap_or_else(|| panic!("`{}` has no figures", self.test.name))
    }

    /// What is retained by call stacks through a function, given without its path.
    pub fn retained_through(&self, function: &str) -> Amount {
        let through = self.call_sites.iter().filter(|site| site.passes(function));
        through.fold(Amount::default(), |sum, site| Amount {
            bytes: sum.bytes + site.amount.bytes,
            blocks: sum.blocks + site.amount.blocks,
        })
    }
}

impl Events {
    /// What was allocated minus what was freed.
    pub fn net_growth(&self) -> Growth {
        Growth {
            bytes: self.bytes_allocated as i64 - self.bytes_deallocated as i64,
            blocks: self.allocations as i64 - self.deallocations as i64,
        }
    }
}

impl CallSite {
    /// Whether a function, closures inside it included, is on the stack.
    pub fn passes(&self, function: &str) -> bool {
        self.frames.iter().any(|frame| frame.is_in(function))
    }
}

impl Frame {
    /// Whether it is the function with that name, or a closure inside it.
    pub fn is_in(&self, function: &str) -> bool {
        let path = self.function.as_deref().unwrap_or_default();
        path.rsplit("::").find(|name| !name.starts_with('{')) == Some(function)
    }
}
