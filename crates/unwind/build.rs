//! Finds out what this target has. The crates above get the same answers from here.

use std::env::var;

const NAMES: &str = "asm_hot_path, c_heap, dynamic_glibc, holders, leakcheck_compare, loaded_symbols, sanitized, table_unwinder";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg({NAMES})");
    let found = found();
    for name in &found {
        println!("cargo::rustc-cfg={name}");
    }
    println!("cargo::metadata=names={NAMES}");
    println!("cargo::metadata=found={}", found.join(","));
}

fn found() -> Vec<&'static str> {
    let target = |name: &str| var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let is = |name: &str, value: &str| target(name) == value;
    let mut found = Vec::new();

    let sanitized = var("CARGO_CFG_SANITIZE").is_ok();
    if sanitized {
        found.push("sanitized");
    }
    let miri = var("CARGO_CFG_MIRI").is_ok();
    let is_static = target("FEATURE").split(',').any(|feature| feature == "crt-static");
    let dynamic_glibc = is("OS", "linux") && is("ENV", "gnu") && !is_static && !miri;
    let wide = is("POINTER_WIDTH", "64");
    // The manifests choose dependencies by the same condition.
    if dynamic_glibc && wide {
        found.push("loaded_symbols");
    }
    if !dynamic_glibc || sanitized {
        return found;
    }
    // A definition of a C function in the program is found before the C library's own, which is
    // then the next one of the dynamic linker. A statically linked program has no next one. glibc
    // also reports how much of its heap is in use.
    found.extend(["dynamic_glibc", "c_heap"]);
    let x86_64 = wide && is("ARCH", "x86_64");
    let aarch64 = wide && is("ARCH", "aarch64") && is("ENDIAN", "little");
    // The table unwinder asks glibc where the unwind tables are, and a snapshot reads glibc's
    // structures of threads.
    if x86_64 || aarch64 {
        found.extend(["table_unwinder", "holders"]);
    }
    // The assembly needs ELF's thread-locals and the table unwinder.
    if x86_64 {
        found.push("asm_hot_path");
    }
    found
}
