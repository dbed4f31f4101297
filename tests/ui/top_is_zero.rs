use leakcheck::leak_check;

#[leak_check(top = 0)]
fn stays() {}

fn main() {
    stays();
}
