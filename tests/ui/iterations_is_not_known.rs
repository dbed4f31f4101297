use leakcheck::leak_check;

#[leak_check(iterations = "often")]
fn stays() {}

fn main() {
    stays();
}
