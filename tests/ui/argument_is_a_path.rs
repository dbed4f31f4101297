use leakcheck::leak_check;

#[leak_check(leakcheck::top = 1)]
fn kept() {}

fn main() {
    kept();
}
