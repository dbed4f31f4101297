use leakcheck::leak_check;

#[leak_check(threshold_mb: 5)]
fn kept() {}

fn main() {
    kept();
}
