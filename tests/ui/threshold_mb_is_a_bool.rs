use leakcheck::leak_check;

#[leak_check(threshold_mb = true)]
fn kept() {}

fn main() {
    kept();
}
