use leakcheck::leak_check;

#[leak_check]
const fn stays() {}

const STAYS: () = stays();

fn main() {
    STAYS
}
