use leakcheck::leak_check;
use std::pin::Pin;

#[leak_check]
fn stays() -> impl Future<Output = ()> {
    async {}
}

#[leak_check]
fn stays_too() -> Pin<Box<dyn Future<Output = u8> + Send>> {
    Box::pin(async { 1 })
}

fn main() {
    drop(stays());
    drop(stays_too());
}
