use leakcheck::leak_check;

#[leak_check]
const STAYS: () = ();

fn main() {
    STAYS
}
