use leakcheck::leak_check;

#[leak_check(warmup = 1)]
fn stays() {}

fn main() {
    stays();
}
