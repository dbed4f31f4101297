use leakcheck::leak_check;

#[leak_check(kind = "uni")]
fn stays() {}

fn main() {
    stays();
}
