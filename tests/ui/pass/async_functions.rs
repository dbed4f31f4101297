//! The future of a checked function can borrow, be sent to another thread, return early and nest.

#![deny(warnings)]

use leakcheck::leak_check;
use std::cell::Cell;
use std::error::Error;
use std::fmt::Debug;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

#[leak_check]
async fn borrowed<'a>(text: &'a str, _other: &str) -> &'a str {
    std::future::ready(()).await;
    text
}

#[leak_check]
async fn sendable<T: Send + Debug>(
    value: T,
    cell: Cell<u8>,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    std::future::ready(()).await;
    let number: u8 = "1".parse()?;
    if number > 1 {
        return Err("too large".into());
    }
    Ok(format!("{value:?}{}", cell.get() + number))
}

#[leak_check]
async fn coerced(number: u8) -> Box<dyn Fn() -> u8> {
    std::future::ready(()).await;
    Box::new(move || number)
}

#[leak_check]
async fn opaque(up_to: u8) -> impl Iterator<Item = u8> {
    std::future::ready(()).await;
    0..up_to
}

#[leak_check]
async fn diverges() -> ! {
    std::future::ready(()).await;
    panic!("soon")
}

#[leak_check]
async fn nested(depth: u8) -> u8 {
    if depth == 0 {
        return 0;
    }
    let inner: Pin<Box<dyn Future<Output = u8>>> = Box::pin(nested(depth - 1));
    inner.await + 1
}

struct Basket(Vec<u8>);

trait Fill {
    async fn fill(&mut self, item: u8) -> &mut Self;
}

impl Fill for Basket {
    #[leak_check]
    async fn fill(&mut self, item: u8) -> &mut Self {
        std::future::ready(()).await;
        self.0.push(item);
        self
    }
}

fn main() {
    assert_eq!(ready(borrowed("text", &String::new())), "text");
    let sent = std::thread::spawn(|| ready(sendable('a', Cell::new(1))).unwrap());
    assert_eq!(sent.join().unwrap(), "'a'2");
    let _is_send: &dyn Send = &sendable((), Cell::new(1));
    assert_eq!(ready(coerced(3))(), 3);
    assert_eq!(ready(opaque(3)).count(), 3);
    assert!(std::panic::catch_unwind(|| ready(diverges())).is_err());
    assert_eq!(ready(nested(3)), 3);
    assert_eq!(ready(Basket(Vec::new()).fill(1)).0, [1]);
}

fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!(),
    }
}
