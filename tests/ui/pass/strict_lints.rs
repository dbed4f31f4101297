//! The expansion of the attribute passes the strictest lints.

#![forbid(unsafe_code, unused_imports, dead_code)]
#![deny(warnings, unused, missing_docs, unreachable_pub, unused_qualifications, rust_2018_idioms)]
#![deny(let_underscore_drop, unused_lifetimes, single_use_lifetimes, trivial_casts, unused_results)]
#![deny(clippy::all, clippy::pedantic)]

use leakcheck::leak_check;
use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

#[leak_check(threshold_mb = 1, threshold_blocks = 9, peak_mb = 0.5, kind = "unit", scope = "test")]
fn with_every_limit() {}

#[leak_check(measure = "retained", settle_ms = 5, threads = 0, top = 3, threshold_bytes = 4096)]
fn with_the_other_arguments() {}

#[leak_check(skip)]
fn skipped() {}

#[leak_check]
fn parsed(text: &str) -> Result<u8, Box<dyn Error>> {
    Ok(text.parse()?)
}

#[leak_check]
fn opaque(up_to: u8) -> impl Iterator<Item = u8> {
    0..up_to
}

#[leak_check]
fn diverges(why: &str) -> ! {
    panic!("{why}")
}

#[leak_check]
#[should_panic(expected = "soon")]
fn panics() {
    panic!("soon")
}

#[leak_check]
async fn later(text: &str) -> Result<u8, Box<dyn Error>> {
    std::future::ready(()).await;
    Ok(text.parse()?)
}

#[leak_check]
async fn nothing_later() {
    std::future::ready(()).await;
}

pub(crate) fn main() {
    with_every_limit();
    with_the_other_arguments();
    skipped();
    assert!(parsed("7").is_ok_and(|number| number == 7));
    assert!(parsed("seven").is_err());
    assert_eq!(opaque(3).count(), 3);
    assert!(std::panic::catch_unwind(|| diverges("soon")).is_err());
    assert!(std::panic::catch_unwind(panics).is_err());
    assert!(matches!(poll(later("7")), Poll::Ready(Ok(7))));
    assert!(poll(nothing_later()).is_ready());
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
