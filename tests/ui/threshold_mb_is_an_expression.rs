use leakcheck::leak_check;

#[leak_check(threshold_mb = 2 * 5)]
fn kept() {}

fn main() {
    kept();
}
