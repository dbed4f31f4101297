use leakcheck::leak_check;

trait Basket {
    #[leak_check]
    fn kept();

    #[leak_check]
    async fn also_kept();
}

impl Basket for () {
    fn kept() {}
    async fn also_kept() {}
}

fn main() {
    <() as Basket>::kept();
    drop(<() as Basket>::also_kept());
}
