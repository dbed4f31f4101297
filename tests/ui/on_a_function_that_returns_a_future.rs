use leakcheck::leak_check;
use std::pin::Pin;

#[leak_check]
fn kept() -> impl Future<Output = ()> {
    async {}
}

#[leak_check]
fn also_kept() -> Pin<Box<dyn Future<Output = u8> + Send>> {
    Box::pin(async { 1 })
}

fn main() {
    drop(kept());
    drop(also_kept());
}
