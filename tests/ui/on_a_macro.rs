use leakcheck::leak_check;

#[leak_check]
macro_rules! stays {
    () => {};
}

fn main() {
    stays!();
}
