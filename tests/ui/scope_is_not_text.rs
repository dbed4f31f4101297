use leakcheck::leak_check;

#[leak_check(scope = test)]
fn stays() {}

fn main() {
    stays();
}
