use leakcheck::leak_check;

#[leak_check]
mod basket {
    pub fn stays() {}
}

fn main() {
    basket::stays();
}
