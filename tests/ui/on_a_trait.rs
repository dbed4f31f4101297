use leakcheck::leak_check;

#[leak_check]
trait Stays {
    fn stays() {}
}

impl Stays for () {}

fn main() {
    <() as Stays>::stays();
}
