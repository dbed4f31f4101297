use leakcheck::leak_check;

#[leak_check]
pub(crate) enum Stays {
    Here,
}

fn main() {
    let _ = Stays::Here;
}
