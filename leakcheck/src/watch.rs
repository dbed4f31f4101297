//! One check, from its open region to its verdict and report.

mod repeated;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Once, OnceLock};
use std::time::Instant;

use leakcheck_growth::Plan;
use leakcheck_holders::{self as holders, SavedRegisters, StackSnapshot};
use leakcheck_ledger::thread::{self, Thread, Untracked};

use crate::draft::{self, Draft};
use crate::error::Error;
use crate::gate::{Access, Pass};
use crate::journal;
use crate::judging::{Judging, Repeated};
use crate::message;
use crate::noise::Noise;
use crate::options::{Options, Scope};
use crate::publish::{self, Leak};
use crate::region::{self, Region};
use crate::report::{Report, Test};
use crate::resources;
use crate::settings::{self, Mode, Settings};
use crate::verdict::{BodyEnd, Limits, NotJudged, Verdict};

/// Whether a body runs under a check.
pub(crate) enum Watching {
    Yes(Box<Watch>),
    /// It runs unchecked. A skipped body still waits for a region of process scope to close.
    No(Option<Pass>),
}

/// An open check.
pub(crate) struct Watch {
    pub(crate) region: Region,
    settings: &'static Settings,
    options: Options,
    test: Test,
    limits: Limits,
    /// How the body is repeated; none where it runs once.
    plan: Option<Plan>,
    can_repeat: bool,
    /// The stack before the body, for [`holders`], and when the body started.
    before: OnceLock<(StackSnapshot, Instant)>,
    _open: journal::Open,
}

impl Watch {
    #[track_caller]
    pub(crate) fn start(options: Options) -> Watching {
        match Self::try_start(options) {
            Ok(watching) => watching,
            Err(problem) => fail_with(format!("leakcheck: {problem}")),
        }
    }

    /// For a body that can be called again.
    #[track_caller]
    pub(crate) fn start_repeatable(options: Options) -> Watching {
        match Self::try_start_repeatable(options) {
            Ok(watching) => watching,
            Err(problem) => fail_with(format!("leakcheck: {problem}")),
        }
    }

    pub(crate) fn try_start(options: Options) -> Result<Watching, String> {
        if options.iterations.is_some() || options.warmup.is_some() {
            return Err(Error::not_repeatable().to_string());
        }
        Self::begin(options, false)
    }

    pub(crate) fn try_start_repeatable(options: Options) -> Result<Watching, String> {
        Self::begin(options, true)
    }

    fn begin(options: Options, can_repeat: bool) -> Result<Watching, String> {
        #[cfg(interposed)]
        crate::suite::step_aside(&options.origin);
        let _untracked = Untracked::new();
        let settings = settings::of_process().map_err(ToString::to_string)?;
        warn_of_unknown(settings);
        if settings.mode == Mode::Off {
            return Ok(Watching::No(None));
        }
        let name = options.origin.display_name();
        let nested = thread::with(Thread::entered_region) != 0;
        // Under nextest the outermost check watches the whole process.
        let scope = match options.scope {
            None if nested => Scope::Test,
            _ => settings.scope(&options),
        };
        let test = draft::test(&options, &name, scope);
        if let Some(reason) = settings.skips(&options, &name) {
            publish::record(settings, || Report::new(test, Verdict::Skipped { reason }));
            return Ok(Watching::No((!nested).then(|| Pass::wait(Access::Shared))));
        }
        let open = journal::begin(&name);
        let region = match Region::open(scope, settings.timeline) {
            Ok(region) => region,
            Err(error) if error.is_pass_through() => {
                warn_once(&format!("nothing is judged: {error}"));
                let verdict = Verdict::NotJudged { reason: error.reason() };
                publish::record(settings, || Report::new(test, verdict));
                return Ok(Watching::No(None));
            }
            Err(error) => {
                let verdict = Verdict::NotJudged { reason: error.reason() };
                publish::record(settings, || Report::new(test, verdict));
                return Err(error.to_string());
            }
        };
        if let Err(error) = resources::can_judge(&settings.limits(&options)) {
            let verdict = Verdict::NotJudged { reason: error.reason() };
            publish::record(settings, || Report::new(test, verdict));
            return Err(error.to_string());
        }
        region::capture(settings.stacks);
        if settings.repeats(&options) && !can_repeat {
            message::to_stderr(&format!(
                "`{}` is called once in spite of `LEAK_ITERATIONS`: its body may consume its arguments",
                test.name
            ));
        }
        let plan = settings.plan(&options).filter(|_| can_repeat);
        let limits = match &plan {
            Some(plan) => settings.limits_of_repeated(&options, plan),
            None => settings.limits(&options),
        };
        let watch = Self {
            region,
            settings,
            options,
            test,
            limits,
            plan,
            can_repeat,
            before: OnceLock::new(),
            _open: open,
        };
        Ok(Watching::Yes(Box::new(watch)))
    }

    /// Runs the body inside the region. The error is the payload of its panic.
    ///
    /// The caller's frame is still there at the verdict, and all frames below have ended.
    #[inline(always)]
    pub(crate) fn run<T>(&self, body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
        self.run_below(holders::stack_pointer(), body)
    }

    #[inline(never)]
    fn run_below<T>(
        &self,
        stack_pointer: usize,
        body: impl FnOnce() -> T,
    ) -> Result<T, Box<dyn Any + Send>> {
        // Stale pointers in dead stack frames would look like references: clear them before the body
        // reuses the stack, and after it has.
        holders::clear_dead();
        _ = self.before.get_or_init(|| (StackSnapshot::from(stack_pointer), Instant::now()));
        let outcome = catch_unwind(AssertUnwindSafe(|| self.region.run(body)));
        holders::clear_dead();
        outcome
    }

    /// As [`not_judged`](Self::not_judged), for one iteration of a repeated body. It is printed to the
    /// captured output, next to the panic message of the failing test.
    pub(crate) fn not_judged_in_call(&self, end: BodyEnd, call: u64) {
        let _untracked = Untracked::new();
        if call == 1 {
            return self.not_judged(end);
        }
        let reason = NotJudged::Body { end, iteration: Some(call) };
        eprintln!("leakcheck: {reason}");
        if self.settings.repeats(&self.options) {
            eprintln!("  if it cannot be called again, exempt it: #[leak_check(iterations = 1)]");
        }
        self.record_not_judged(reason);
    }

    pub(crate) fn not_judged(&self, end: BodyEnd) {
        let _untracked = Untracked::new();
        self.record_not_judged(NotJudged::Body { end, iteration: None });
    }

    fn record_not_judged(&self, reason: NotJudged) {
        publish::record(self.settings, || {
            let measurement = self.region.measure();
            let noise = Noise::none(&measurement.sites);
            let verdict = Verdict::NotJudged { reason };
            Draft::new(self.test.clone(), verdict, &measurement, noise, self.top()).report
        });
    }

    /// Judges a body that ran once.
    pub(crate) fn judge(&self) -> Result<(), Leak> {
        let _untracked = Untracked::new();
        self.finish(self.judging(self.limits.clone(), None).judge())
    }

    #[inline(always)]
    fn judging<'a>(&'a self, limits: Limits, repeated: Option<Repeated<'a>>) -> Judging<'a> {
        let (before, start) =
            self.before.get_or_init(|| (StackSnapshot::default(), Instant::now()));
        Judging {
            settings: self.settings,
            test: &self.test,
            region: &self.region,
            limits,
            of_thread: false,
            settle_ms: Settings::settle_ms(&self.options),
            top: self.top(),
            decide: if repeated.is_some() { None } else { self.decide() },
            repeated,
            stack_before: before,
            registers: SavedRegisters::now(),
            took: start.elapsed(),
            libtest_name: None,
        }
    }

    /// Publishes the report of a check that was judged, if there is one.
    fn finish(&self, report: Option<Report>) -> Result<(), Leak> {
        match report {
            Some(report) if report.verdict.fails() => {
                Err(publish::leak(self.settings, &report, self.top()))
            }
            Some(report) => {
                publish::record(self.settings, || report);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The command that distinguishes a leak from a warm-up.
    fn decide(&self) -> Option<String> {
        self.can_repeat.then(|| self.test.decide()).flatten()
    }

    fn top(&self) -> u64 {
        self.settings.top(&self.options)
    }
}

impl Leak {
    /// Fails the test, or prints the report where only that was asked for.
    #[track_caller]
    pub(crate) fn fail(self) {
        match self.mode {
            Mode::On => fail_with(self.text),
            Mode::Record => {}
            Mode::Warn | Mode::Off => message::to_stderr_as_is(&self.text),
        }
    }

    /// Whether the test has to fail for it.
    pub(crate) fn must_fail(&self) -> bool {
        self.mode == Mode::On
    }
}

/// The message of the panic is untracked, so that it counts for no enclosing check.
#[track_caller]
pub(crate) fn fail_with(text: String) -> ! {
    let _untracked = Untracked::new();
    __rust_begin_short_backtrace(&text)
}

/// std ends the backtrace that it prints under `RUST_BACKTRACE=1` at a function of this name.
/// Otherwise every leak would be printed with leakcheck's own frames, which tell the user nothing.
#[inline(never)]
#[track_caller]
fn __rust_begin_short_backtrace(text: &str) -> ! {
    panic!("{text}")
}

fn warn_of_unknown(settings: &Settings) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for name in &settings.unknown {
            let known = settings::VARIABLES.join("`, `");
            message::to_stderr(&format!(
                "`{name}` is not a variable of leakcheck and does nothing; known are `{known}`"
            ));
        }
    });
}

fn warn_once(text: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| message::to_stderr(text));
}
