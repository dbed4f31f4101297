use leakcheck::leak_check;

#[leak_check(skip("flaky"))]
fn stays() {}

fn main() {
    stays();
}
