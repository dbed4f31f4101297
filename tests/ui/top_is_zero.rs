use leakcheck::leak_check;

#[leak_check(top = 0)]
fn kept() {}

fn main() {
    kept();
}
