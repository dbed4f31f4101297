//! What is linked into the command.

use object::{Object, ObjectSymbol};

/// Functions of the C library that leakcheck interposes.
const INTERPOSED: [&str; 8] =
    ["pthread_create", "open", "open64", "close", "dup", "socket", "fork", "posix_spawn"];

#[test]
fn the_command_links_no_allocator_and_no_interposed_function() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_cargo-leakcheck")).unwrap();
    let Ok(file) = object::read::elf::ElfFile64::<object::Endianness>::parse(&*program) else {
        return eprintln!("skipped: the command is no ELF file, so its symbols were not looked at");
    };
    let symbols = file.symbols().chain(file.dynamic_symbols());
    let defined: Vec<&str> =
        symbols.filter(|symbol| symbol.is_definition()).filter_map(|s| s.name().ok()).collect();
    assert!(defined.iter().any(|name| name.contains("cargo_leakcheck")), "no symbols are found");
    for name in INTERPOSED {
        assert!(!defined.contains(&name), "`{name}` is defined");
    }
    // Mangled names contain the length before the name.
    let own = defined.iter().find(|name| name.contains("9leakcheck"));
    assert_eq!(own, None, "a symbol of the crate `leakcheck`");
}
