//! Takes over what `leakcheck-unwind` has found out about this target, and adds what the features
//! of this crate allow.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let answer = |key: &str| var(format!("DEP_LEAKCHECK_UNWIND_{key}")).unwrap_or_default();
    println!("cargo::rustc-check-cfg=cfg({}, interposed, tracks_handles)", answer("NAMES"));
    let found = answer("FOUND");
    let has = |name: &str| found.split(',').any(|found| found == name);
    for name in found.split(',').filter(|name| !name.is_empty()) {
        println!("cargo::rustc-cfg={name}");
    }
    if var("CARGO_FEATURE_THREADS").is_ok() && has("dynamic_glibc") {
        println!("cargo::rustc-cfg=interposed");
        // Hooks of `open`, `fork` and the like may allocate nothing, so they need the table unwinder.
        if has("table_unwinder") {
            println!("cargo::rustc-cfg=tracks_handles");
        }
    }
}
