use leakcheck::leak_check;

#[leak_check(threshold_blocks = 2.5)]
fn kept() {}

fn main() {
    kept();
}
