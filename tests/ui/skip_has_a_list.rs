use leakcheck::leak_check;

#[leak_check(skip("flaky"))]
fn kept() {}

fn main() {
    kept();
}
