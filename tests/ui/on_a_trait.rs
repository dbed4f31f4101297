use leakcheck::leak_check;

#[leak_check]
trait Kept {
    fn kept() {}
}

impl Kept for () {}

fn main() {
    <() as Kept>::kept();
}
