use leakcheck::leak_check;

#[leak_check]
struct Kept;

fn main() {
    let _ = Kept;
}
