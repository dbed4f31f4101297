use leakcheck::leak_check;

trait Basket {
    #[leak_check]
    fn stays();

    #[leak_check]
    async fn stays_too();
}

impl Basket for () {
    fn stays() {}
    async fn stays_too() {}
}

fn main() {
    <() as Basket>::stays();
    drop(<() as Basket>::stays_too());
}
