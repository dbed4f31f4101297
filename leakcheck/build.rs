//! Finds out what this build can see.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-check-cfg=cfg(c_heap, holders, interposed, leakcheck_compare, noted, own_local, \
         own_symbols, own_walk, sanitized)"
    );

    let sanitized = var("CARGO_CFG_SANITIZE").is_ok();
    if sanitized {
        println!("cargo::rustc-cfg=sanitized");
    }

    // A definition of `pthread_create` is found before the C library's one, which is then the next
    // one of the dynamic linker. A statically linked program has no next one.
    let features = var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let is =
        |name: &str, value: &str| var(format!("CARGO_CFG_TARGET_{name}")).as_deref() == Ok(value);
    let dynamic_glibc = is("OS", "linux")
        && is("ENV", "gnu")
        && !features.split(',').any(|feature| feature == "crt-static");
    // The walk by unwind tables asks glibc where they are, and Miri has none. What is written in
    // assembly needs ELF's thread-locals and the walk.
    let wide = is("POINTER_WIDTH", "64");
    let x86_64 = wide && is("ARCH", "x86_64");
    let aarch64 = wide && is("ARCH", "aarch64") && is("ENDIAN", "little");
    let miri = var("CARGO_CFG_MIRI").is_ok();
    let own_walk = dynamic_glibc && (aarch64 || x86_64) && !sanitized && !miri;
    if own_walk {
        println!("cargo::rustc-cfg=own_walk");
        // A snapshot reads glibc's own structures of threads.
        println!("cargo::rustc-cfg=holders");
        if x86_64 {
            println!("cargo::rustc-cfg=own_local");
        }
    }
    // The manifest chooses dependencies by the same.
    if dynamic_glibc && wide && !miri {
        println!("cargo::rustc-cfg=own_symbols");
    }
    // glibc tells how much of its heap is in use.
    if dynamic_glibc && !sanitized && !miri {
        println!("cargo::rustc-cfg=c_heap");
    }
    // Miri has its own `pthread_create`, and rejects a program that defines a second one.
    if var("CARGO_FEATURE_THREADS").is_ok() && dynamic_glibc && !sanitized && !miri {
        println!("cargo::rustc-cfg=interposed");
        // Who opens a descriptor or starts a child is noted by functions that may allocate nothing.
        if own_walk {
            println!("cargo::rustc-cfg=noted");
        }
    }
}
