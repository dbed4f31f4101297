use leakcheck::leak_check;

#[leak_check]
const KEPT: () = ();

fn main() {
    KEPT
}
