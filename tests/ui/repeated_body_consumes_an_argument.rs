use leakcheck::leak_check;

#[leak_check(iterations = 10)]
fn sums(rows: usize, names: Vec<String>) {
    assert_eq!(names.len(), rows);
}

#[leak_check(warmup = 1)]
fn fills(cache: &mut Vec<u8>) {
    cache.push(1);
}

fn main() {
    sums(0, Vec::new());
    fills(&mut Vec::new());
}
