use leakcheck::leak_check;

#[leak_check(treshold_mb = 5)]
fn kept() {}

fn main() {
    kept();
}
