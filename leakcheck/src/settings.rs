//! The settings of a process: the `LEAK_*` environment variables, read once.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use leakcheck_report::pattern::Glob;

use crate::error::Error;
use crate::options::{Iterations, Kind, Options, Scope, mb_to_bytes};
use crate::report::Stacks;
use crate::suppress::{self, Suppression};
use leakcheck_growth::{Caps, Plan, WARM_UP};
use leakcheck_ledger::thread::Untracked;
use leakcheck_report::{Limit, LimitSource, Limits, Skip};

/// Every variable that leakcheck knows.
pub(crate) const VARIABLES: [&str; 17] = [
    "LEAK_CHECK",
    "LEAK_HOLDERS",
    "LEAK_ITERATIONS",
    "LEAK_ITERATIONS_MAX",
    "LEAK_ITERATIONS_SECONDS",
    "LEAK_LOST_BYTES",
    "LEAK_RECORD",
    "LEAK_REPORT_DIR",
    "LEAK_SKIP",
    "LEAK_STACKS",
    "LEAK_SUPPRESSIONS",
    "LEAK_THRESHOLD_MB",
    "LEAK_THRESHOLD_MB_INTEGRATION",
    "LEAK_THRESHOLD_MB_LONG_RUNNING",
    "LEAK_THRESHOLD_MB_UNIT",
    "LEAK_TIMELINE",
    "LEAK_TOP",
];

const MEBIBYTES: &str = "a number of MiB, 0 or more, such as `5` or `0.5`";
const DEFAULT_TOP: u64 = 10;
const DEFAULT_SETTLE_MS: u64 = 500;

/// `LEAK_CHECK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A leak fails its test.
    On,
    /// A leak is reported on stderr.
    Warn,
    /// A leak is only written to its JSON report.
    Record,
    /// Bodies run unchecked.
    Off,
}

/// `LEAK_HOLDERS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Holders {
    /// A snapshot at the verdict shows what keeps the leaked memory alive.
    #[default]
    Auto,
    /// As `Auto`, in a process that is thorough from the start.
    On,
    /// A test that fails is run again in a thorough process.
    Rerun,
    /// Reports have no reference paths.
    Off,
}

/// The settings of a process.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) record: bool,
    pub(crate) report_dir: Option<PathBuf>,
    pub(crate) stacks: Stacks,
    pub(crate) holders: Holders,
    /// Whether live bytes are recorded over time.
    pub(crate) timeline: bool,
    lost_bytes: Option<u64>,
    pub(crate) suppressions: Vec<Suppression>,
    /// Unknown variables that begin with `LEAK_`.
    pub(crate) unknown: Vec<String>,
    threshold_bytes: Option<u64>,
    kind_bytes: [Option<u64>; 3],
    skip: Vec<Glob>,
    top: Option<u64>,
    iterations: Option<Iterations>,
    caps: Caps,
    /// Whether the process runs a single test, as under nextest.
    own_process: bool,
}

/// The settings of this process.
///
/// # Errors
///
/// When a variable has a value that cannot be read.
pub(crate) fn of_process() -> Result<&'static Settings, &'static Error> {
    static SETTINGS: OnceLock<Result<Settings, Error>> = OnceLock::new();
    let _untracked = Untracked::new();
    if SETTINGS.get().is_none() {
        // Read outside of the cell, whose lock a fork by another thread would leave held in its child. Of
        // two threads that read at once the first one's settings stay; they are the same.
        _ = SETTINGS.set(Settings::read(std::env::vars_os()));
    }
    SETTINGS.get_or_init(|| Settings::read(std::env::vars_os())).as_ref()
}

impl Settings {
    /// Reads the settings from the variables given.
    pub(crate) fn read(
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        let variables = Variables::new(variables);
        let mut suppressions: Vec<Suppression> = suppress::built_in().collect();
        if let Some(path) =
            variables.path("LEAK_SUPPRESSIONS", "the path of a file of suppressions")?
        {
            suppressions.extend(suppress::from_file(&path)?);
        }
        let mut kind_bytes = [None; 3];
        for (bytes, kind) in kind_bytes.iter_mut().zip(Kind::ALL) {
            *bytes = variables.parse(kind.variable(), MEBIBYTES, mebibytes)?;
        }
        Ok(Self {
            mode: variables
                .parse("LEAK_CHECK", "`on`, `warn`, `record` or `off`", mode)?
                .unwrap_or(Mode::On),
            record: variables.parse("LEAK_RECORD", "`on` or `off`", switch)?.unwrap_or(false),
            report_dir: variables.path("LEAK_REPORT_DIR", "the path of a directory")?,
            stacks: variables
                .parse("LEAK_STACKS", Stacks::EXPECTED, Stacks::from_name)?
                .unwrap_or_default(),
            holders: variables
                .parse("LEAK_HOLDERS", "`auto`, `on`, `rerun` or `off`", holders)?
                .unwrap_or_default(),
            timeline: variables.parse("LEAK_TIMELINE", "`on` or `off`", switch)?.unwrap_or(false),
            lost_bytes: variables.parse("LEAK_LOST_BYTES", "a whole number of bytes", bytes)?,
            suppressions,
            unknown: variables.unknown(),
            threshold_bytes: variables.parse("LEAK_THRESHOLD_MB", MEBIBYTES, mebibytes)?,
            kind_bytes,
            skip: variables
                .text("LEAK_SKIP", "globs over test names, separated by commas")?
                .map_or(vec![], globs),
            top: variables.parse("LEAK_TOP", "a whole number of call sites, 1 or more", top)?,
            iterations: variables.parse(
                "LEAK_ITERATIONS",
                "`auto` or a number of calls, 1 or more",
                iterations,
            )?,
            caps: caps(&variables)?,
            own_process: variables
                .get("NEXTEST_EXECUTION_MODE")
                .is_some_and(|mode| *mode == *"process-per-test"),
        })
    }

    /// The limits of a check. For bytes in this order: `LEAK_THRESHOLD_MB`, the check's own limit, the
    /// variable of its kind, the default of its kind.
    pub(crate) fn limits(&self, options: &Options) -> Limits {
        let kind = kind_of(options);
        let argument =
            options.threshold_bytes.map(|limit| Limit::by_argument(limit.argument, limit.bytes));
        let of_kind =
            self.kind_bytes[kind as usize].map(|bytes| Limit::by_variable(kind.variable(), bytes));
        let bytes = self
            .threshold_bytes
            .map(|bytes| Limit::by_variable("LEAK_THRESHOLD_MB", bytes))
            .or(argument)
            .or(of_kind)
            .unwrap_or_else(|| Limit::default_of(kind));
        let by_argument =
            |name: &str, value: Option<u64>| value.map(|value| Limit::by_argument(name, value));
        let mut limits = Limits::default();
        limits.measure = options.metric;
        limits.bytes = Some(bytes);
        limits.blocks = by_argument("threshold_blocks", options.threshold_blocks);
        limits.peak_bytes = by_argument("peak_mb", options.peak_bytes);
        limits.threads = by_argument("threads", options.threads);
        limits.fds = by_argument("fds", options.fds);
        limits.children = by_argument("children", options.children);
        limits.c_heap_bytes = by_argument("c_heap_mb", options.c_heap_bytes);
        limits.lost_bytes = self
            .lost_bytes
            .map(|bytes| Limit::by_variable("LEAK_LOST_BYTES", bytes))
            .or(by_argument("lost_bytes", options.lost_bytes));
        limits
    }

    /// How a check repeats its body, if it does: by `LEAK_ITERATIONS`, else by its own options.
    pub(crate) fn plan(&self, options: &Options) -> Option<Plan> {
        let alone = options.warmup.map(|_| Iterations::Exactly(1));
        let iterations = self.iterations_of(options).or(alone)?;
        let once = iterations == Iterations::Exactly(1);
        let warmup = options.warmup.unwrap_or(if once { 0 } else { WARM_UP });
        (!once || warmup > 0).then_some(Plan { iterations, warmup, caps: self.caps })
    }

    /// The limits of a check that repeats its body. Growth decides there: a limit of bytes or blocks
    /// applies only where it was set beside `iterations` or by `LEAK_THRESHOLD_MB`, and so meant for
    /// many calls.
    pub(crate) fn limits_of_repeated(&self, options: &Options, plan: &Plan) -> Limits {
        let mut limits = self.limits(options);
        if plan.iterations == Iterations::Exactly(1) {
            return limits;
        }
        let own = !self.repeats(options);
        let given = self.threshold_bytes.is_some() || (own && options.threshold_bytes.is_some());
        limits.bytes = limits.bytes.filter(|_| given);
        limits.blocks = limits.blocks.filter(|_| own);
        limits
    }

    /// As often as the environment asks for, unless the check cannot be called again.
    fn iterations_of(&self, options: &Options) -> Option<Iterations> {
        let once = options.iterations == Some(Iterations::Exactly(1));
        self.iterations.filter(|_| !once).or(options.iterations)
    }

    /// Whether the environment asks for a repetition of a check.
    pub(crate) fn repeats(&self, options: &Options) -> bool {
        let many = self.iterations.is_some_and(|iterations| iterations != Iterations::Exactly(1));
        many && options.iterations != Some(Iterations::Exactly(1))
    }

    /// Where the repetition was asked for.
    pub(crate) fn iterations_source(&self, options: &Options) -> LimitSource {
        if self.repeats(options) {
            LimitSource::variable("LEAK_ITERATIONS")
        } else {
            LimitSource::argument("iterations")
        }
    }

    /// Why a check is skipped, if it is.
    pub(crate) fn skips(&self, options: &Options, name: &str) -> Option<Skip> {
        let asked = options.skip.as_ref().map(|why| Skip::Argument { why: why.to_string() });
        let matching = || self.skip.iter().find(|glob| glob.matches(name));
        asked.or_else(|| Some(Skip::Variable { glob: matching()?.text().to_owned() }))
    }

    /// Whether the process runs a single test.
    #[cfg(target_os = "linux")]
    pub(crate) fn has_own_process(&self) -> bool {
        self.own_process
    }

    pub(crate) fn scope(&self, options: &Options) -> Scope {
        options.scope.unwrap_or(if self.own_process { Scope::Process } else { Scope::Test })
    }

    pub(crate) fn top(&self, options: &Options) -> u64 {
        self.top.or(options.top).unwrap_or(DEFAULT_TOP)
    }

    pub(crate) fn settle_ms(options: &Options) -> u64 {
        options.settle_ms.unwrap_or(DEFAULT_SETTLE_MS)
    }
}

/// The kind of a check: its own, else that of the target it was compiled in.
pub(crate) fn kind_of(options: &Options) -> Kind {
    options.kind.unwrap_or(if options.origin.integration { Kind::Integration } else { Kind::Unit })
}

/// The environment variables that leakcheck reads.
struct Variables(Vec<(String, OsString)>);

impl Variables {
    fn new(all: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let ours = |name: &String| name.starts_with("LEAK_") || name == "NEXTEST_EXECUTION_MODE";
        Self(
            all.filter_map(|(name, value)| Some((name.into_string().ok().filter(ours)?, value)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&OsString> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn unknown(&self) -> Vec<String> {
        let names = self.0.iter().map(|(name, _)| name);
        names
            .filter(|name| name.starts_with("LEAK_") && !VARIABLES.contains(&name.as_str()))
            .cloned()
            .collect()
    }

    fn text(&self, name: &'static str, expected: &'static str) -> Result<Option<&str>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value
            .to_str()
            .ok_or_else(|| Error::setting(name, value.to_string_lossy(), expected))?;
        Ok(Some(text.trim()))
    }

    fn path(&self, name: &'static str, expected: &'static str) -> Result<Option<PathBuf>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if value.is_empty() {
            Err(Error::setting(name, "", expected))
        } else {
            Ok(Some(PathBuf::from(value)))
        }
    }

    fn parse<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(name, expected)? else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| Error::setting(name, text, expected))
    }
}

fn mebibytes(text: &str) -> Option<u64> {
    text.parse().ok().and_then(mb_to_bytes)
}

fn mode(text: &str) -> Option<Mode> {
    match text {
        "on" => Some(Mode::On),
        "warn" => Some(Mode::Warn),
        "record" => Some(Mode::Record),
        "off" => Some(Mode::Off),
        _ => None,
    }
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "on" | "1" | "true" => Some(true),
        "off" | "0" | "false" => Some(false),
        _ => None,
    }
}

fn bytes(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn holders(text: &str) -> Option<Holders> {
    match text {
        "auto" => Some(Holders::Auto),
        "on" => Some(Holders::On),
        "rerun" => Some(Holders::Rerun),
        "off" => Some(Holders::Off),
        _ => None,
    }
}

fn top(text: &str) -> Option<u64> {
    text.parse().ok().filter(|top| *top > 0)
}

fn iterations(text: &str) -> Option<Iterations> {
    match text {
        "auto" => Some(Iterations::Auto),
        number => number.parse().ok().filter(|calls| *calls > 0).map(Iterations::Exactly),
    }
}

/// The caps of a repetition that decides itself how long it is.
fn caps(variables: &Variables) -> Result<Caps, Error> {
    let default = Caps::default();
    let calls = variables.parse("LEAK_ITERATIONS_MAX", "a number of calls, 1 or more", calls)?;
    let time = variables.parse(
        "LEAK_ITERATIONS_SECONDS",
        "a number of seconds above 0, such as `3` or `0.5`",
        seconds,
    )?;
    Ok(Caps { calls: calls.unwrap_or(default.calls), time: time.unwrap_or(default.time) })
}

fn calls(text: &str) -> Option<u64> {
    text.parse().ok().filter(|calls| *calls > 0)
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
}

fn globs(text: &str) -> Vec<Glob> {
    text.split(',').map(str::trim).filter(|glob| !glob.is_empty()).map(Glob::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::read(
            variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))),
        )
    }

    fn byte_limit(variables: &[(&str, &str)], options: &Options) -> (u64, String) {
        let bytes = read(variables).unwrap().limits(options).bytes.unwrap();
        (bytes.value, bytes.source.to_string())
    }

    #[track_caller]
    fn refused(name: &str, value: &str, expected: &str) {
        let error = read(&[(name, value)])
            .expect_err("a value that cannot be read is an error")
            .to_string();
        assert_eq!(error, format!("`{name}` is `{value}`, expected {expected}"));
    }

    #[test]
    fn a_limit_comes_from_the_nearest_place() {
        let plain = Options::new();
        let own = Options::new().threshold_bytes(77);
        let unit = [("LEAK_THRESHOLD_MB_UNIT", "2")];
        let both = [("LEAK_THRESHOLD_MB_UNIT", "2"), ("LEAK_THRESHOLD_MB", "0.5")];
        assert_eq!(byte_limit(&[], &plain), (1 << 20, "default for unit tests".into()));
        assert_eq!(byte_limit(&unit, &plain), (2 << 20, "LEAK_THRESHOLD_MB_UNIT".into()));
        assert_eq!(byte_limit(&unit, &own), (77, "threshold_bytes".into()));
        assert_eq!(byte_limit(&both, &own), (1 << 19, "LEAK_THRESHOLD_MB".into()));
    }

    #[test]
    fn each_kind_has_its_default_and_its_variable() {
        let of = |kind| Options::new().kind(kind);
        assert_eq!(byte_limit(&[], &of(Kind::Integration)).0, 5 << 20);
        assert_eq!(byte_limit(&[], &of(Kind::LongRunning)).0, 10 << 20);
        let variables =
            [("LEAK_THRESHOLD_MB_INTEGRATION", "3"), ("LEAK_THRESHOLD_MB_LONG_RUNNING", "4")];
        assert_eq!(byte_limit(&variables, &of(Kind::Integration)).0, 3 << 20);
        assert_eq!(byte_limit(&variables, &of(Kind::LongRunning)).0, 4 << 20);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for bad in ["abc", "-1", "NaN", "inf", "", "5MB"] {
            refused("LEAK_THRESHOLD_MB", bad, MEBIBYTES);
        }
        refused("LEAK_THRESHOLD_MB_UNIT", "x", MEBIBYTES);
        refused("LEAK_CHECK", "yes", "`on`, `warn`, `record` or `off`");
        refused("LEAK_STACKS", "deep", "`full`, `sampled` or `off`");
        refused("LEAK_LOST_BYTES", "-1", "a whole number of bytes");
        refused("LEAK_HOLDERS", "yes", "`auto`, `on`, `rerun` or `off`");
        refused("LEAK_TOP", "0", "a whole number of call sites, 1 or more");
        for bad in ["0", "-1", "often", ""] {
            refused("LEAK_ITERATIONS", bad, "`auto` or a number of calls, 1 or more");
        }
        refused("LEAK_ITERATIONS_MAX", "0", "a number of calls, 1 or more");
        for bad in ["0", "-1", "NaN", "inf", "soon"] {
            refused(
                "LEAK_ITERATIONS_SECONDS",
                bad,
                "a number of seconds above 0, such as `3` or `0.5`",
            );
        }
        refused("LEAK_RECORD", "", "`on` or `off`");
        refused("LEAK_TIMELINE", "5 ms", "`on` or `off`");
        refused("LEAK_REPORT_DIR", "", "the path of a directory");
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_named() {
        use std::os::unix::ffi::OsStringExt;
        let variable = (OsString::from("LEAK_CHECK"), OsString::from_vec(vec![b'o', 0xff]));
        let error = Settings::read([variable].into_iter()).unwrap_err().to_string();
        assert_eq!(error, "`LEAK_CHECK` is `o\u{fffd}`, expected `on`, `warn`, `record` or `off`");
    }

    #[test]
    fn a_missing_file_of_suppressions_is_an_error() {
        let error = read(&[("LEAK_SUPPRESSIONS", "no/such/file")]).unwrap_err().to_string();
        assert!(
            error.starts_with("`LEAK_SUPPRESSIONS` names `no/such/file`, which cannot be read:"),
            "{error}"
        );
    }

    #[test]
    fn unknown_variables_are_told_apart() {
        let settings =
            read(&[("LEAK_TRESHOLD_MB", "5"), ("LEAK_TOP", "3"), ("LEAKY", "1")]).unwrap();
        assert_eq!(settings.unknown, ["LEAK_TRESHOLD_MB"]);
    }

    #[test]
    fn a_skip_has_a_reason() {
        let settings = read(&[("LEAK_SKIP", "cache::*, *slow")]).unwrap();
        let plain = Options::new();
        let by_glob = |glob: &str| Some(Skip::Variable { glob: glob.to_owned() });
        assert_eq!(settings.skips(&plain, "cache::evicts"), by_glob("cache::*"));
        assert_eq!(settings.skips(&plain, "very_slow"), by_glob("*slow"));
        assert_eq!(settings.skips(&plain, "other"), None);
        let asked = Skip::Argument { why: "see #12".to_owned() };
        assert_eq!(settings.skips(&Options::new().skip("see #12"), "other"), Some(asked));
    }

    #[test]
    fn a_body_is_repeated_on_request() {
        let plan = |variables: &[(&str, &str)], options: &Options| {
            let plan = read(variables).unwrap().plan(options);
            plan.map(|plan| (plan.iterations, plan.warmup))
        };
        let (plain, warmed) = (Options::new(), Options::new().warmup(3));
        let own = Options::new().iterations(100).warmup(0);
        let env = [("LEAK_ITERATIONS", "auto")];
        assert_eq!(plan(&[], &plain), None);
        assert_eq!(plan(&[("LEAK_ITERATIONS", "1")], &plain), None);
        assert_eq!(plan(&[], &warmed), Some((Iterations::Exactly(1), 3)));
        assert_eq!(plan(&[], &own), Some((Iterations::Exactly(100), 0)));
        assert_eq!(plan(&env, &plain), Some((Iterations::Auto, 2)));
        assert_eq!(plan(&env, &own), Some((Iterations::Auto, 0)));
        assert_eq!(plan(&env, &Options::new().iterations(1)), None);
    }

    #[test]
    fn growth_decides_but_for_limits_that_are_meant_for_many_calls() {
        let bytes = |variables: &[(&str, &str)], options: Options| {
            let settings = read(variables).unwrap();
            let plan = settings.plan(&options).unwrap();
            settings.limits_of_repeated(&options, &plan).bytes.map(|limit| limit.source.to_string())
        };
        let auto = || Options::new().iterations(Iterations::Auto);
        assert_eq!(bytes(&[], auto()), None);
        assert_eq!(bytes(&[], auto().threshold_bytes(7)).unwrap(), "threshold_bytes");
        assert_eq!(bytes(&[("LEAK_THRESHOLD_MB_UNIT", "1")], auto()), None);
        assert_eq!(bytes(&[("LEAK_THRESHOLD_MB", "1")], auto()).unwrap(), "LEAK_THRESHOLD_MB");
        let env = [("LEAK_ITERATIONS", "9")];
        assert_eq!(bytes(&env, Options::new().threshold_bytes(7)), None);
        assert_eq!(bytes(&[], Options::new().warmup(1)).unwrap(), "default for unit tests");
    }

    #[test]
    fn nextest_gives_a_process_to_every_test() {
        let nextest = read(&[("NEXTEST_EXECUTION_MODE", "process-per-test")]).unwrap();
        assert_eq!(nextest.scope(&Options::new()), Scope::Process);
        assert_eq!(nextest.scope(&Options::new().scope(Scope::Test)), Scope::Test);
        assert_eq!(read(&[]).unwrap().scope(&Options::new()), Scope::Test);
    }
}
