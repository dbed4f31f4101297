use leakcheck::leak_check;

#[leak_check(threshold_mb = -5)]
mod basket {
    pub fn stays() {}

    #[test]
    fn no_part_of_the_program() {}
}

fn main() {
    basket::stays();
}
