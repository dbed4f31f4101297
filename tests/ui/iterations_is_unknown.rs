use leakcheck::leak_check;

#[leak_check(iterations = "often")]
fn kept() {}

fn main() {
    kept();
}
