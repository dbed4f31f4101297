use leakcheck::leak_check;

#[leak_check(threshold_mb = 1)]
#[test]
#[leakcheck::leak_check(threads = 0)]
fn only_in_tests() {}

fn main() {}
