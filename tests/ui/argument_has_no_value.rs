use leakcheck::leak_check;

#[leak_check(peak_mb)]
fn kept() {}

fn main() {
    kept();
}
