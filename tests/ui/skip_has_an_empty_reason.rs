use leakcheck::leak_check;

#[leak_check(skip = " ")]
fn kept() {}

fn main() {
    kept();
}
