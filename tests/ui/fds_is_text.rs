use leakcheck::leak_check;

#[leak_check(fds = "none")]
fn stays() {}

fn main() {
    stays();
}
