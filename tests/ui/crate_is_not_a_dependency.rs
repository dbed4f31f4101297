use leakcheck::leak_check;

#[leak_check(crate = nope)]
fn stays() {}

fn main() {
    stays();
}
