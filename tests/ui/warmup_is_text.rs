use leakcheck::leak_check;

#[leak_check(warmup = "two")]
fn stays() {}

fn main() {
    stays();
}
