use leakcheck::leak_check;

#[leak_check(threshold_mb = 1, threshold_bytes = 1024)]
fn kept() {}

fn main() {
    kept();
}
