use leakcheck::leak_check;

#[leak_check]
use std::mem::drop as kept;

fn main() {
    kept(1);
}
