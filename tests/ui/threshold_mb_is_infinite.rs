use leakcheck::leak_check;

#[leak_check(threshold_mb = 1e999)]
fn kept() {}

fn main() {
    kept();
}
