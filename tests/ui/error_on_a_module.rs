use leakcheck::leak_check;

#[leak_check(threshold_mb = -5)]
mod basket {
    pub fn kept() {}

    #[test]
    fn only_in_tests() {}
}

fn main() {
    basket::kept();
}
