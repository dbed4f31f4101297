use leakcheck::leak_check;

#[leak_check(threads = 1.5)]
const fn kept() {}

fn main() {
    kept();
}
