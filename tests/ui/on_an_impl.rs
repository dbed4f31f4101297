use leakcheck::leak_check;

struct Basket;

#[leak_check]
impl Basket {
    fn kept() {}
}

fn main() {
    Basket::kept();
}
