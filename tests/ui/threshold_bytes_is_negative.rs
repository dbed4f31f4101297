use leakcheck::leak_check;

#[leak_check(threshold_bytes = -1)]
fn kept() {}

fn main() {
    kept();
}
