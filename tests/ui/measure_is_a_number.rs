use leakcheck::leak_check;

#[leak_check(measure = 1)]
fn kept() {}

fn main() {
    kept();
}
