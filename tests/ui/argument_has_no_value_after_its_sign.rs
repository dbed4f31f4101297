use leakcheck::leak_check;

#[leak_check(peak_mb =)]
fn stays() {}

fn main() {
    stays();
}
