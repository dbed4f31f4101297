use leakcheck::leak_check;

#[leak_check(kind = "uni")]
fn kept() {}

fn main() {
    kept();
}
