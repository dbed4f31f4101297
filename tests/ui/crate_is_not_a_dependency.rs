use leakcheck::leak_check;

#[leak_check(crate = nope)]
fn kept() {}

fn main() {
    kept();
}
