use leakcheck::leak_check;

#[leak_check]
mod basket {
    pub fn kept() {}
}

fn main() {
    basket::kept();
}
