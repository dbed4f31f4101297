use leakcheck::leak_check;

#[leak_check(warmup = "two")]
fn kept() {}

fn main() {
    kept();
}
