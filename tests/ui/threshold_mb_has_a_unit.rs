use leakcheck::leak_check;

#[leak_check(threshold_mb = 5MB)]
fn kept() {}

fn main() {
    kept();
}
