use leakcheck::leak_check;

#[leak_check(threads = 5,, top = 1)]
fn kept() {}

fn main() {
    kept();
}
