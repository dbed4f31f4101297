#[leakcheck::leak_check]
#[path = "pass/modules.rs"]
mod kept;

fn main() {}
