use leakcheck::leak_check;

#[leak_check(threshold_bytes = 99999999999999999999)]
fn kept() {}

fn main() {
    kept();
}
