use leakcheck::leak_check;

struct Basket;

#[leak_check]
impl Basket {
    fn stays() {}
}

fn main() {
    Basket::stays();
}
