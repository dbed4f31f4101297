use leakcheck::leak_check;

#[leak_check]
use std::mem::drop as stays;

fn main() {
    stays(1);
}
