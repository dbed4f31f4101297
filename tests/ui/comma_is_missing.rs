use leakcheck::leak_check;

#[leak_check(threshold_mb = 5 top = 3)]
fn kept() {}

fn main() {
    kept();
}
