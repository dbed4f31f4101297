use leakcheck::leak_check;

#[leak_check]
const fn kept() {}

const KEPT: () = kept();

fn main() {
    KEPT
}
