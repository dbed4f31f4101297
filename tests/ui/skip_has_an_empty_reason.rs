use leakcheck::leak_check;

#[leak_check(skip = " ")]
fn stays() {}

fn main() {
    stays();
}
