use leakcheck::leak_check;

#[leak_check(threshold_mb = "5", kind = "uni", peak_mb, treshold_mb = 5, top = 0, top = 1)]
fn kept() {}

fn main() {
    kept();
}
