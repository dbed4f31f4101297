use leakcheck::leak_check;

#[leak_check(5)]
fn stays() {}

fn main() {
    stays();
}
