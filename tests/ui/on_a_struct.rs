use leakcheck::leak_check;

#[leak_check]
struct Stays;

fn main() {
    let _ = Stays;
}
