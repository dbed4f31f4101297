use leakcheck::leak_check;

#[leak_check(c_heap_mb = "1 MB")]
fn kept() {}

fn main() {
    kept();
}
