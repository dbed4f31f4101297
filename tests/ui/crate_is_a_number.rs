use leakcheck::leak_check;

#[leak_check(crate = 5)]
fn kept() {}

fn main() {
    kept();
}
