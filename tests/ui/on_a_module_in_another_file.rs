#[leakcheck::leak_check]
#[path = "pass/modules.rs"]
mod stays;

fn main() {}
