use leakcheck::leak_check;

#[leak_check(threads = 1, top = 3, threads = 2)]
fn kept() {}

fn main() {
    kept();
}
