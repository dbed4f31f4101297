use leakcheck::leak_check;

#[leak_check(fds = "none")]
fn kept() {}

fn main() {
    kept();
}
