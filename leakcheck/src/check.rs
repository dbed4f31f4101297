//! Runs a body inside a region, waits for it to settle, judges and reports.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Once;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::gate::{Access, Pass};
use crate::ledger::working_for;
use crate::measurement::Measurement;
use crate::message;
use crate::options::{Options, Scope};
use crate::outcome::Outcome;
use crate::region::Region;
use crate::report::{Noise, Report, Symbols, Test, file, text};
use crate::settings::{self, Mode, Settings};
use crate::settle;
use crate::stack;
use crate::thread::{self, Quiet, running};
use crate::verdict::{self, Limits, Verdict};

/// Runs a body and fails when it leaves more memory behind than its limits allow.
///
/// This is what the attribute does, for custom harnesses, property tests and helpers. What the body returns is alive when
/// it is judged, so it counts; what the body captured and did not give away is gone by then.
///
/// ```
/// use leakcheck::{Options, check};
///
/// let sum = check(Options::new().name("sums up").threshold_bytes(0), || {
///     let numbers: Vec<u64> = (0..1000).collect();
///     numbers.iter().sum::<u64>()
/// });
/// assert_eq!(sum, 499_500);
/// ```
///
/// # Panics
///
/// With the report, when the body leaked. When the check could not see: the allocator is not installed, a `LEAK_*`
/// variable cannot be read, or a check of process scope is nested. A body that panics, or returns what
/// [`Outcome::is_failure`] says is a failure, fails as itself and is not judged.
#[track_caller]
pub fn check<T: Outcome>(options: Options, body: impl FnOnce() -> T) -> T {
    check_with(options, body, T::is_failure)
}

/// [`check`] for a future: the region is entered whenever the future is polled.
///
/// ```
/// # use leakcheck::{Options, check_async};
/// # use std::{pin::pin, task::{Context, Poll, Waker}};
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     let mut future = pin!(future);
/// #     loop {
/// #         if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return value }
/// #     }
/// # }
/// block_on(check_async(Options::new().name("fetches").threshold_bytes(0), async {
///     let page = String::from("<html>");
///     assert!(page.starts_with('<'));
/// }));
/// ```
///
/// # Panics
///
/// As [`check`] does. A future that is dropped before it is ready is not judged.
pub async fn check_async<T: Outcome>(options: Options, body: impl Future<Output = T>) -> T {
    check_async_with(options, body, T::is_failure).await
}

#[track_caller]
pub(crate) fn check_with<T>(options: Options, body: impl FnOnce() -> T, failed: impl FnOnce(&T) -> bool) -> T {
    let watch = match Watch::start(options) {
        Watching::Yes(watch) => watch,
        Watching::No(held_back) => {
            let value = body();
            drop(held_back);
            return value;
        }
    };
    let here = 0_u8;
    match watch.run(&raw const here as usize, body) {
        Ok(value) if failed(&value) => {
            watch.not_judged("the body returned an error");
            value
        }
        Ok(value) => {
            if let Err(leak) = watch.judge() {
                leak.fail();
            }
            value
        }
        Err(panic) => {
            watch.not_judged("the body panicked");
            resume_unwind(panic)
        }
    }
}

/// For tests that must panic: the panic is what they are for, so they are judged after it. A leak lets them return
/// normally, which is what libtest takes for a failure here.
#[track_caller]
pub(crate) fn check_should_panic(options: Options, expected: Option<&'static str>, body: impl FnOnce()) {
    let watch = match Watch::start(options) {
        Watching::Yes(watch) => watch,
        Watching::No(_held_back) => return body(),
    };
    let here = 0_u8;
    let panic = match watch.run(&raw const here as usize, body) {
        Ok(()) => return watch.not_judged("the body did not panic"),
        Err(panic) => panic,
    };
    let message = message_of(&*panic);
    let is_expected = expected.is_none_or(|part| message.as_ref().is_some_and(|message| message.contains(part)));
    if !is_expected {
        watch.not_judged("the body panicked with another message");
        resume_unwind(panic);
    }
    // The panic's payload is the body's memory too, and it is on its way out.
    drop(panic);
    match watch.judge() {
        Ok(()) => resume_unwind(Box::new(message.unwrap_or_default())),
        Err(leak) if leak.mode == Mode::Warn => {
            leak.warn();
            resume_unwind(Box::new(message.unwrap_or_default()))
        }
        Err(leak) => eprintln!("{}", leak.text),
    }
}

pub(crate) async fn check_async_with<T>(
    options: Options,
    body: impl Future<Output = T>,
    failed: impl FnOnce(&T) -> bool,
) -> T {
    let watch = match Watch::start(options) {
        Watching::Yes(watch) => watch,
        Watching::No(_held_back) => return body.await,
    };
    let value = Polled { watch: &watch, body: pin!(Some(body)) }.await;
    if failed(&value) {
        watch.not_judged("the body returned an error");
    } else if let Err(leak) = watch.judge() {
        leak.fail();
    }
    value
}

/// Polls the body inside its region, and drops it there when it is ready.
struct Polled<'a, F> {
    watch: &'a Watch,
    body: Pin<&'a mut Option<F>>,
}

impl<F: Future> Future for Polled<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let here = 0_u8;
        let _entered = self.watch.region.enter(&raw const here as usize);
        let body = self.body.as_mut().as_pin_mut().expect("a future is not polled after it was ready");
        let value = std::task::ready!(poll_body(body, context));
        self.body.set(None);
        Poll::Ready(value)
    }
}

/// The frame below which stacks are cut, see [`run_body`].
#[inline(never)]
fn poll_body<F: Future>(body: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    body.poll(context)
}

/// The outermost frame that call stacks keep. It is never inlined, so that the body, which may be inlined here, does not
/// end up above the cut.
#[inline(never)]
fn run_body<T>(body: impl FnOnce() -> T) -> T {
    body()
}

/// Whether a body is watched.
enum Watching {
    Yes(Watch),
    /// It just runs. A skipped body still does not run beside a region of process scope.
    No(Option<Pass>),
}

/// One check under way.
struct Watch {
    region: Region,
    settings: &'static Settings,
    options: Options,
    test: Test,
    limits: Limits,
}

/// A leak that was found and reported.
struct Leak {
    text: String,
    mode: Mode,
}

impl Watch {
    #[track_caller]
    fn start(options: Options) -> Watching {
        match Self::try_start(options) {
            Ok(watching) => watching,
            Err(problem) => fail_with(format!("leakcheck: {problem}")),
        }
    }

    fn try_start(options: Options) -> Result<Watching, String> {
        let _quiet = Quiet::new();
        let settings = settings::of_process().map_err(ToString::to_string)?;
        warn_of_unknown(settings);
        if settings.mode == Mode::Off {
            return Ok(Watching::No(None));
        }
        let name = options.origin.display_name();
        let scope = settings.scope(&options);
        let test = Test::new(&options, &name, scope);
        if let Some(why) = settings.skips(&options, &name) {
            record(settings, || Report::without_figures(test, Verdict::Skipped { why }));
            let nested = thread::with(working_for) != 0;
            return Ok(Watching::No((!nested).then(|| Pass::wait(Access::Shared))));
        }
        let region = match Region::open(scope) {
            Ok(region) => region,
            Err(error) if error.is_pass_through() => {
                warn_once(&format!("nothing is judged: {error}"));
                record(settings, || Report::without_figures(test, Verdict::NotJudged { why: error.to_string() }));
                return Ok(Watching::No(None));
            }
            Err(error) => return Err(error.to_string()),
        };
        if options.threads.is_some() && !running::CAN_FOLLOW {
            return Err(Error::threads_unseen().to_string());
        }
        stack::OFF.store(!settings.stacks, Ordering::Relaxed);
        let limits = settings.limits(&options);
        Ok(Watching::Yes(Self { region, settings, options, test, limits }))
    }

    fn run<T>(&self, stack_base: usize, body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
        let _entered = self.region.enter(stack_base);
        catch_unwind(AssertUnwindSafe(|| run_body(body)))
    }

    fn not_judged(&self, why: &str) {
        let _quiet = Quiet::new();
        record(self.settings, || {
            let measurement = self.region.measure();
            let noise = Noise::none(&measurement.sites);
            let verdict = Verdict::NotJudged { why: why.to_owned() };
            Report::new(self.test.clone(), verdict, &measurement, noise, self.top())
        });
    }

    fn judge(&self) -> Result<(), Leak> {
        let _quiet = Quiet::new();
        let (measurement, noise, verdict) = self.settle();
        let report = || {
            let mut report = Report::new(self.test.clone(), verdict.clone(), &measurement, noise, self.top());
            report.limits = Some(self.limits.clone());
            report.judged = Some(verdict::judged(&measurement, self.limits.measure, report.suppressed_amount()));
            if !self.settings.stacks {
                report.symbols = Symbols::Off;
            }
            report
        };
        if verdict.is_leak() {
            Err(self.leak(&report()))
        } else {
            record(self.settings, report);
            Ok(())
        }
    }

    /// Measures, and while that would fail, again and again until the time for settling is over.
    fn settle(&self) -> (Measurement, Noise, Verdict) {
        let mut waiting = settle::Waiting::new(Settings::settle_ms(&self.options));
        loop {
            let measurement = self.region.measure();
            let (noise, verdict) = self.judge_once(&measurement);
            if !verdict.can_settle() || !waiting.goes_on() {
                return (measurement, noise, verdict);
            }
        }
    }

    /// Looks for known noise only where it makes a difference.
    fn judge_once(&self, measurement: &Measurement) -> (Noise, Verdict) {
        let judge = |noise: &Noise| {
            let judged = verdict::judged(measurement, self.limits.measure, noise.amount());
            verdict::judge(judged, measurement, &self.limits)
        };
        let noise = Noise::none(&measurement.sites);
        let verdict = judge(&noise);
        if !verdict.is_leak() {
            return (noise, verdict);
        }
        let noise = Noise::sift(&measurement.sites, &self.settings.suppressions);
        let verdict = judge(&noise);
        (noise, verdict)
    }

    fn leak(&self, report: &Report) -> Leak {
        let written = file::write(report, self.settings.report_dir.as_deref());
        if let Err(why) = &written {
            message::to_stderr(&format!("the report of `{}` is not written: {why}", report.test.name));
        }
        let shown = written.as_deref().map_err(String::as_str);
        Leak { text: text::render(report, self.top(), shown), mode: self.settings.mode }
    }

    fn top(&self) -> usize {
        self.settings.top(&self.options)
    }
}

impl Leak {
    /// Fails the test, or just tells where that was asked for.
    #[track_caller]
    fn fail(self) {
        if self.mode == Mode::Warn { self.warn() } else { fail_with(self.text) }
    }

    fn warn(&self) {
        message::to_stderr_as_is(&self.text);
    }
}

/// The words of the panic are leakcheck's own and count for no check around this one.
#[track_caller]
fn fail_with(text: String) -> ! {
    let _quiet = Quiet::new();
    panic!("{text}")
}

/// Writes the report of a test that does not fail, where `LEAK_RECORD` asks for it.
fn record(settings: &Settings, report: impl FnOnce() -> Report) {
    if !settings.record {
        return;
    }
    let report = report();
    if let Err(why) = file::write(&report, settings.report_dir.as_deref()) {
        message::to_stderr(&format!("the record of `{}` is not written: {why}", report.test.name));
    }
}

fn warn_of_unknown(settings: &Settings) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for name in &settings.unknown {
            let known = settings::VARIABLES.join("`, `");
            message::to_stderr(&format!("`{name}` is not a variable of leakcheck and does nothing; known are `{known}`"));
        }
    });
}

fn warn_once(text: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| message::to_stderr(text));
}

fn message_of(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}

/// Runs a body and tells what it came to, without judging it.
///
/// ```
/// let measurement = leakcheck::measure(|| {
///     std::mem::forget(vec![0_u8; 300]);
/// });
/// assert_eq!(measurement.net_growth().bytes, 300);
/// assert_eq!(measurement.stats().allocations, 1);
/// ```
///
/// # Panics
///
/// When the allocator is not installed, and when the body panics.
#[track_caller]
pub fn measure(body: impl FnOnce()) -> Measurement {
    let region = match Region::open(Scope::Test) {
        Ok(region) => region,
        Err(error) => fail_with(format!("leakcheck: {error}")),
    };
    let here = 0_u8;
    let entered = region.enter(&raw const here as usize);
    run_body(body);
    drop(entered);
    region.measure()
}
