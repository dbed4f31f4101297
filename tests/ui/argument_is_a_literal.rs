use leakcheck::leak_check;

#[leak_check(5)]
fn kept() {}

fn main() {
    kept();
}
