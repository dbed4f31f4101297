//! Runs bodies under a check.

pub(crate) mod repeated;

use std::any::Any;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use crate::measurement::Measurement;
use crate::options::{Options, Scope};
use crate::outcome::Outcome;
use crate::publish::Leak;
use crate::region::Region;
use crate::settings;
use crate::verdict::BodyEnd;
use crate::watch::{Watch, Watching, fail_with};
use leakcheck_ledger::thread::Untracked;

/// Runs a body and fails when it leaves more memory behind than its limits allow.
///
/// The attribute does the same. Use the function in custom harnesses, property tests and helpers. The
/// body's return value is alive when the check is judged, so it counts. What the body captured and
/// did not return has been dropped by then.
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
/// If the body leaked, with the report as its message. If the check is blind: the allocator is not
/// installed, a `LEAK_*` variable is invalid, or a check of process scope is nested in another. A
/// body that panics, or returns a value whose [`Outcome::is_failure`] is `true`, fails as itself and
/// is not judged.
#[track_caller]
pub fn check<T: Outcome>(mut options: Options, body: impl FnOnce() -> T) -> T {
    options.origin = options.origin.at(Location::caller());
    check_with(options, body, T::is_failure)
}

/// [`check`] for a body that can be called again. The body is repeated as often as
/// [`Options::iterations`] or `LEAK_ITERATIONS` asks for. Growth in proportion to the calls is a leak,
/// as [the page on repetition](crate::repeated_checks) describes. Returns the value of the last call.
///
/// ```
/// use leakcheck::{Iterations, Options, check_repeated};
/// use std::collections::HashMap;
/// use std::sync::{LazyLock, Mutex};
///
/// static SQUARES: LazyLock<Mutex<HashMap<u64, u64>>> = LazyLock::new(Mutex::default);
///
/// // The map grows once, and not with every call.
/// let options = Options::new().name("remembers squares").iterations(Iterations::Auto);
/// let square = check_repeated(options, || {
///     *SQUARES.lock().unwrap().entry(12).or_insert_with(|| 12 * 12)
/// });
/// assert_eq!(square, 144);
/// ```
///
/// # Panics
///
/// As [`check`] does. A body that panics or returns a failure in any call fails as itself.
#[track_caller]
pub fn check_repeated<T: Outcome>(mut options: Options, body: impl FnMut() -> T) -> T {
    options.origin = options.origin.at(Location::caller());
    repeated::check_repeatable_with(options, body, T::is_failure)
}

/// [`check`] for a future. The region is entered whenever the future is polled.
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
pub(crate) fn check_with<T>(
    options: Options,
    body: impl FnOnce() -> T,
    failed: impl FnOnce(&T) -> bool,
) -> T {
    match Watch::start(options) {
        Watching::Yes(watch) => once(&watch, body, failed),
        Watching::No(held_back) => {
            let value = body();
            drop(held_back);
            value
        }
    }
}

#[track_caller]
fn once<T>(watch: &Watch, body: impl FnOnce() -> T, failed: impl FnOnce(&T) -> bool) -> T {
    match watch.run(body) {
        Ok(value) if failed(&value) => {
            watch.not_judged(BodyEnd::ReturnedError);
            value
        }
        Ok(value) => {
            if let Err(leak) = watch.judge() {
                leak.fail();
            }
            value
        }
        Err(panic) => {
            watch.not_judged(BodyEnd::Panicked);
            resume_unwind(panic)
        }
    }
}

/// For tests that must panic. Their panic is expected, so they are judged after it. After a leak
/// they return normally, which libtest takes for a failure here.
#[track_caller]
pub(crate) fn check_should_panic(
    options: Options,
    expected: Option<&'static str>,
    body: impl FnOnce(),
) {
    match Watch::try_start(options) {
        Ok(Watching::Yes(watch)) => panics_once(&watch, expected, body),
        Ok(Watching::No(_held_back)) => body(),
        Err(problem) => told(&problem),
    }
}

/// The test must not panic here: libtest would take that for the expected panic.
fn told(problem: &str) {
    eprintln!("leakcheck: {problem}");
}

#[track_caller]
fn panics_once(watch: &Watch, expected: Option<&'static str>, body: impl FnOnce()) {
    let panicked = Panicked::of(watch.run(body), expected);
    // The region is still open, and one of process scope counts this thread too.
    let _untracked = Untracked::new();
    match panicked {
        Panicked::Not => watch.not_judged(BodyEnd::DidNotPanic),
        Panicked::Otherwise(panic) => {
            watch.not_judged(BodyEnd::PanickedOtherwise);
            resume_unwind(panic)
        }
        Panicked::AsExpected(message) => end_of_panicking(watch.judge(), message),
    }
}

/// How a body that must panic ended.
enum Panicked {
    Not,
    /// With this message. The payload belongs to the body and is dropped.
    AsExpected(Option<String>),
    Otherwise(Box<dyn Any + Send>),
}

impl Panicked {
    fn of(ended: Result<(), Box<dyn Any + Send>>, expected: Option<&'static str>) -> Self {
        let Err(panic) = ended else { return Self::Not };
        let _untracked = Untracked::new();
        let message = message_of(&*panic);
        let has = |part| message.as_ref().is_some_and(|message| message.contains(part));
        if expected.is_none_or(has) { Self::AsExpected(message) } else { Self::Otherwise(panic) }
    }
}

#[track_caller]
fn end_of_panicking(judged: Result<(), Leak>, message: Option<String>) {
    match judged {
        Err(leak) if leak.must_fail() => eprintln!("{}", leak.text),
        judged => {
            judged.unwrap_or_else(|leak| leak.fail());
            resume_unwind(Box::new(message.unwrap_or_default()))
        }
    }
}

pub(crate) async fn check_async_with<T>(
    options: Options,
    body: impl Future<Output = T>,
    failed: impl FnOnce(&T) -> bool,
) -> T {
    match Watch::start(options) {
        Watching::Yes(watch) => await_once(&watch, body, failed).await,
        Watching::No(_held_back) => body.await,
    }
}

async fn await_once<T>(
    watch: &Watch,
    body: impl Future<Output = T>,
    failed: impl FnOnce(&T) -> bool,
) -> T {
    let value = Polled { watch, body: pin!(Some(body)) }.await;
    if failed(&value) {
        watch.not_judged(BodyEnd::ReturnedError);
    } else if let Err(leak) = watch.judge() {
        leak.fail();
    }
    value
}

/// Polls the body inside its region, and drops it there once it is ready.
struct Polled<'a, F> {
    watch: &'a Watch,
    body: Pin<&'a mut Option<F>>,
}

impl<F: Future> Future for Polled<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { watch, body } = self.get_mut();
        watch.region.run(|| {
            let future =
                body.as_mut().as_pin_mut().expect("a future is not polled after it is ready");
            let value = ready!(future.poll(context));
            body.set(None);
            Poll::Ready(value)
        })
    }
}

/// Runs a body and returns its figures without judging them.
///
/// ```
/// let measurement = leakcheck::measure(|| {
///     std::mem::forget(vec![0_u8; 300]);
/// });
/// assert_eq!(measurement.net_growth().bytes, 300);
/// assert_eq!(measurement.events().allocations, 1);
/// ```
///
/// # Panics
///
/// If the allocator is not installed, if a `LEAK_*` variable is invalid, or if the body panics.
#[track_caller]
pub fn measure(body: impl FnOnce()) -> Measurement {
    let opened = settings::of_process().map_err(ToString::to_string).and_then(|settings| {
        crate::region::capture(settings.stacks);
        Region::open(Scope::Test, false).map_err(|error| error.to_string())
    });
    let region = match opened {
        Ok(region) => region,
        Err(problem) => fail_with(format!("leakcheck: {problem}")),
    };
    region.run(body);
    region.measure()
}

fn message_of(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}
