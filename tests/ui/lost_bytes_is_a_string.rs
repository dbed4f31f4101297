use leakcheck::leak_check;

#[leak_check(lost_bytes = "none")]
fn kept() {}

fn main() {
    kept();
}
