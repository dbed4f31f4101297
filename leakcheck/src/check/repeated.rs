//! Bodies that can be called again.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::pin;

use super::{Panicked, Polled, told};
use crate::options::Options;
use crate::watch::{Watch, Watching};
use leakcheck_ledger::thread::Untracked;
use leakcheck_report::BodyEnd;

/// As [`check_with`](super::check_with), with the body repeated where that was asked for.
#[track_caller]
pub(crate) fn check_repeatable_with<T>(
    options: Options,
    mut body: impl FnMut() -> T,
    failed: impl Fn(&T) -> bool,
) -> T {
    let watch = match Watch::start_repeatable(options) {
        Watching::Yes(watch) => watch,
        Watching::No(held_back) => {
            let value = body();
            drop(held_back);
            return value;
        }
    };
    let Some(mut repeater) = watch.repeater() else {
        return super::once(&watch, body, failed);
    };
    let mut value = None;
    while repeater.goes_on() {
        match watch.run(|| value = Some(fresh(&mut value, &mut body))) {
            Ok(()) if value.as_ref().is_some_and(&failed) => {
                watch.not_judged_in_call(BodyEnd::ReturnedError, repeater.calls());
                break;
            }
            Ok(()) => {}
            Err(panic) => {
                watch.not_judged_in_call(BodyEnd::Panicked, repeater.calls());
                resume_unwind(panic)
            }
        }
    }
    if !value.as_ref().is_some_and(&failed)
        && let Err(leak) = watch.judge_repeated(&repeater)
    {
        leak.fail();
    }
    value.expect("a body is called at least once")
}

/// The value of the previous iteration is dropped inside the region.
fn fresh<T>(value: &mut Option<T>, body: &mut impl FnMut() -> T) -> T {
    drop(value.take());
    body()
}

/// As [`check_should_panic`](super::check_should_panic), with the body repeated where that was asked
/// for. Every iteration has to panic.
#[track_caller]
pub(crate) fn check_repeatable_should_panic(
    options: Options,
    expected: Option<&'static str>,
    mut body: impl FnMut(),
) {
    let watch = match Watch::try_start_repeatable(options) {
        Ok(Watching::Yes(watch)) => watch,
        Ok(Watching::No(_held_back)) => return body(),
        Err(problem) => return told(&problem),
    };
    let Some(mut repeater) = watch.repeater() else {
        return super::panics_once(&watch, expected, body);
    };
    let mut message = None;
    while repeater.goes_on() {
        // The payload belongs to the body and is dropped before the figures are read.
        match Panicked::of(watch.run(&mut body), expected) {
            Panicked::AsExpected(text) => message = text,
            Panicked::Not => {
                return watch.not_judged_in_call(BodyEnd::DidNotPanic, repeater.calls());
            }
            Panicked::Otherwise(panic) => {
                watch.not_judged_in_call(BodyEnd::PanickedOtherwise, repeater.calls());
                resume_unwind(panic)
            }
        }
    }
    let _untracked = Untracked::new();
    super::end_of_panicking(watch.judge_repeated(&repeater), message)
}

/// As [`check_async_with`](super::check_async_with), with a new future for every iteration where
/// repetition was asked for.
pub(crate) async fn check_async_repeatable_with<T, F: Future<Output = T>>(
    options: Options,
    mut body: impl FnMut() -> F,
    failed: impl Fn(&T) -> bool,
) -> T {
    let watch = match Watch::start_repeatable(options) {
        Watching::Yes(watch) => watch,
        Watching::No(_held_back) => return body().await,
    };
    let Some(mut repeater) = watch.repeater() else {
        return super::await_once(&watch, body(), failed).await;
    };
    let mut value = None;
    while repeater.goes_on() {
        drop(watch.region.run(|| value.take()));
        let future = watch.region.run(&mut body);
        let fresh = Polled { watch: &watch, body: pin!(Some(future)) }.await;
        let is_failure = failed(&fresh);
        value = Some(fresh);
        if is_failure {
            watch.not_judged_in_call(BodyEnd::ReturnedError, repeater.calls());
            break;
        }
    }
    if !value.as_ref().is_some_and(failed)
        && let Err(leak) = watch.judge_repeated(&repeater)
    {
        leak.fail();
    }
    value.expect("a body is called at least once")
}
