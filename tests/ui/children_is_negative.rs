use leakcheck::leak_check;

#[leak_check(children = -1)]
fn kept() {}

fn main() {
    kept();
}
