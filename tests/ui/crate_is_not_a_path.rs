use leakcheck::leak_check;

#[leak_check(crate = "a b")]
fn stays() {}

fn main() {
    stays();
}
