use leakcheck::leak_check;

#[leak_check]
macro_rules! kept {
    () => {};
}

fn main() {
    kept!();
}
