use std::path::PathBuf;

use super::{Crate, circles};

fn read(files: &[(&str, &str)]) -> Crate {
    Crate::of(files.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned())))
}

#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let edges = read(files).top_level_edges();
    let edges: Vec<String> = edges.iter().map(|edge| edge.to_string()).collect();
    assert_eq!(edges, expected);
}

#[test]
fn a_planted_circle_is_found_with_its_imports() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; use crate::d::D;"),
        ("b.rs", "mod inner;"),
        ("b/inner.rs", "fn f() { crate::c::f(); }"),
        ("c.rs", "use super::a::A;"),
        ("d.rs", "use crate::c;"),
        ("e.rs", "use crate::a;"),
    ];
    let found = circles(&read(&files).top_level_edges());
    let [(members, imports)] = &found[..] else { panic!("{found:#?}") };
    let members: Vec<String> = members.iter().map(|member| member.join("::")).collect();
    assert_eq!(members, ["a", "b", "c", "d"]);
    let imports: Vec<String> = imports.iter().map(|edge| edge.to_string()).collect();
    assert_eq!(
        imports,
        [
            "a → b   a.rs: crate::b::B",
            "a → d   a.rs: crate::d::D",
            "b → c   b/inner.rs: crate::c::f",
            "c → a   c.rs: super::a::A",
            "d → c   d.rs: crate::c",
        ]
    );
}

#[test]
fn imports_that_go_one_way_are_no_circle() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use std::a::A; fn a() { b::a() }"),
    ];
    assert_eq!(circles(&read(&files).top_level_edges()), []);
}

#[test]
fn an_item_is_where_it_is_defined_and_not_where_it_is_re_exported() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use b::{inner::{Item as Thing}, Other};"),
        ("a.rs", "use crate::Thing;"),
        ("b.rs", "mod inner; pub use inner::Other;"),
        ("b/inner.rs", "use super::super::a; pub struct Item; pub struct Other;"),
    ];
    check(&files, &["a → b   a.rs: crate::Thing", "b → a   b/inner.rs: super::super::a"]);
    let edges = read(&files).edges();
    let from_a = edges.iter().find(|edge| edge.from == ["a"]).expect("`a` imports");
    assert_eq!(from_a.to, ["b", "inner"]);
}

#[test]
fn every_path_of_a_group_counts() {
    let files = [("a.rs", "use crate::{b::{self, B}, c as d, std};"), ("b.rs", ""), ("c.rs", "")];
    check(&files, &["a → b   a.rs: crate::b", "a → c   a.rs: crate::c"]);
}

#[test]
fn comments_literals_and_tests_import_nothing() {
    let text = "
        // use crate::b;
        /* crate::b /* crate::b */ crate::b */
        const A: &str = \"crate::b \\\" crate::b\";
        const B: &str = r#\"crate::b \" crate::b\"#;
        const C: char = '\"'; fn f<'a>(x: &'a str) {}
        const D: &[u8] = b\"crate::b\";
        #[cfg(test)] use crate::b;
        #[cfg(test)] mod tests { use crate::b; fn g() {} }
        #[cfg(all(test, unix))] fn h() -> Vec<u8> { crate::b::all() }
    ";
    check(&[("a.rs", text), ("b.rs", ""), ("a/tests.rs", "use crate::b;")], &[]);
    check(&[("a.rs", "#[cfg(unix)] use crate::b;"), ("b.rs", "")], &["a → b   a.rs: crate::b"]);
}
