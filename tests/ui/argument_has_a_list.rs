use leakcheck::leak_check;

#[leak_check(settle_ms(50))]
fn kept() {}

fn main() {
    kept();
}
