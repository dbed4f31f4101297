//! Dependencies point one way: between crates, between the modules of a crate, and between files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use leakcheck_tests::imports::{Crate, Edge, circles};

use crate::project::{published, read, root};

/// The published crates, each with the crates of the project that it may depend on. A crate comes
/// after its dependencies.
const CRATES: [(&str, &[&str]); 10] = [
    ("leakcheck-report", &[]),
    ("leakcheck-system", &[]),
    ("leakcheck-macros", &[]),
    ("leakcheck-growth", &["leakcheck-report"]),
    ("leakcheck-unwind", &["leakcheck-system"]),
    ("leakcheck-symbols", &["leakcheck-report", "leakcheck-system"]),
    ("leakcheck-ledger", &["leakcheck-system", "leakcheck-unwind"]),
    (
        "leakcheck-holders",
        &[
            "leakcheck-ledger",
            "leakcheck-report",
            "leakcheck-symbols",
            "leakcheck-system",
            "leakcheck-unwind",
        ],
    ),
    (
        "leakcheck",
        &[
            "leakcheck-growth",
            "leakcheck-holders",
            "leakcheck-ledger",
            "leakcheck-macros",
            "leakcheck-report",
            "leakcheck-symbols",
            "leakcheck-system",
            "leakcheck-unwind",
        ],
    ),
    ("cargo-leakcheck", &["leakcheck-report"]),
];

/// The maximum number of files in a circle of imports, such as a module and its children.
const MOST_IN_A_CIRCLE: usize = 6;

#[test]
fn no_crate_depends_upward() {
    for (at, (name, allowed)) in CRATES.iter().enumerate() {
        let below: Vec<&str> = CRATES[..at].iter().map(|(name, _)| *name).collect();
        assert!(allowed.iter().all(|krate| below.contains(krate)), "`{name}` stands too early");
        for dependency in dependencies(&read(&format!("{}/Cargo.toml", folder(name)))) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "`{name}` depends on `{dependency}`; it may depend on {allowed:?}"
            );
        }
    }
}

#[test]
fn every_published_crate_has_its_place() {
    let known: BTreeSet<String> = CRATES.iter().map(|(name, _)| folder(name)).collect();
    assert_eq!(BTreeSet::from_iter(published()), known);
}

#[test]
fn no_top_level_modules_import_one_another_in_a_circle() {
    for (name, _) in CRATES {
        let found = circles(&Crate::read(&source(name)).top_level_edges());
        let found: Vec<String> = found.iter().map(|(_, imports)| list(imports)).collect();
        assert!(found.is_empty(), "`{name}` has circles of imports:\n{}", found.join("\n\n"));
    }
}

#[test]
fn few_files_import_one_another_in_a_circle() {
    for (name, _) in CRATES {
        let mut edges = Crate::read(&source(name)).edges();
        // The root imports from most modules.
        edges.retain(|edge| !edge.from.is_empty());
        for (files, imports) in circles(&edges) {
            assert!(
                files.len() <= MOST_IN_A_CIRCLE,
                "{} files of `{name}` import one another:\n{}",
                files.len(),
                list(&imports)
            );
        }
    }
}

/// The crates of the project that a manifest depends on, for any target.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut is_list = false;
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            is_list = header.ends_with("dependencies]") && !header.contains("dev-dependencies");
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if is_list && (name == "leakcheck" || name.starts_with("leakcheck-")) {
            found.insert(name.to_owned());
        }
    }
    found
}

/// The folder of a crate.
fn folder(name: &str) -> String {
    let inner = name.strip_prefix("leakcheck-").map(|short| format!("crates/{short}"));
    inner.filter(|folder| root().join(folder).is_dir()).unwrap_or_else(|| name.to_owned())
}

/// The folder of a crate's sources.
fn source(name: &str) -> PathBuf {
    root().join(folder(name)).join("src")
}

fn list(imports: &[Edge]) -> String {
    let lines: Vec<String> = imports.iter().map(|edge| format!("  {edge}")).collect();
    lines.join("\n")
}
