use leakcheck::leak_check;

#[leak_check(crate = "a b")]
fn kept() {}

fn main() {
    kept();
}
