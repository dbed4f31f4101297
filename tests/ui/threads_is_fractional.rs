use leakcheck::leak_check;

#[leak_check(threads = 1.5)]
fn kept() {}

fn main() {
    kept();
}
