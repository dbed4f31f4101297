//! Sets the configuration that `leakcheck-unwind` has determined for this target.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let answer = |key: &str| var(format!("DEP_LEAKCHECK_UNWIND_{key}")).unwrap_or_default();
    println!("cargo::rustc-check-cfg=cfg({})", answer("NAMES"));
    for name in answer("FOUND").split(',').filter(|name| !name.is_empty()) {
        println!("cargo::rustc-cfg={name}");
    }
}
