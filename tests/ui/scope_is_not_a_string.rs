use leakcheck::leak_check;

#[leak_check(scope = test)]
fn kept() {}

fn main() {
    kept();
}
