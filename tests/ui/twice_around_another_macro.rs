use leakcheck::leak_check;

#[leak_check(threshold_mb = 1)]
#[test]
#[leakcheck::leak_check(threads = 0)]
fn no_part_of_the_program() {}

fn main() {}
