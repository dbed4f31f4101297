use leakcheck::leak_check;

#[leak_check(iterations = 10)]
fn stays() {}

fn main() {
    stays();
}
