use leakcheck::leak_check;

#[leak_check(threshold_mb = 1)]
#[leak_check(threads = 0)]
fn kept() {}

fn main() {
    kept();
}
