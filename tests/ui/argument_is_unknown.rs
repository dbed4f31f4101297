use leakcheck::leak_check;

#[leak_check(foo = 1)]
fn kept() {}

fn main() {
    kept();
}
