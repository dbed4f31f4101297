use leakcheck::leak_check;

#[leak_check]
pub(crate) enum Kept {
    Here,
}

fn main() {
    let _ = Kept::Here;
}
