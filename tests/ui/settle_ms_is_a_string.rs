use leakcheck::leak_check;

#[leak_check(settle_ms = "5")]
fn kept() {}

fn main() {
    kept();
}
