//! Finds out what this build can see.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-check-cfg=cfg(interposed, leakcheck_compare, own_local, own_walk, sanitized)"
    );

    let sanitized = var("CARGO_CFG_SANITIZE").is_ok();
    if sanitized {
        println!("cargo::rustc-cfg=sanitized");
    }

    // A definition of `pthread_create` is found before the C library's one, which is then the next
    // one of the dynamic linker. A statically linked program has no next one.
    let features = var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let dynamic_glibc = var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux")
        && var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu")
        && !features.split(',').any(|feature| feature == "crt-static");
    // The walk by unwind tables asks glibc where they are, and Miri has none. What is written in
    // assembly needs ELF's thread-locals and the walk.
    let x86_64 = var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64")
        && var("CARGO_CFG_TARGET_POINTER_WIDTH").as_deref() == Ok("64");
    if dynamic_glibc && x86_64 && !sanitized && var("CARGO_CFG_MIRI").is_err() {
        println!("cargo::rustc-cfg=own_walk");
        println!("cargo::rustc-cfg=own_local");
    }
    if var("CARGO_FEATURE_THREADS").is_ok() && dynamic_glibc && !sanitized {
        println!("cargo::rustc-cfg=interposed");
    }
}
