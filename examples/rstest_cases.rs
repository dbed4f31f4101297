//! Lesson 9: cases and fixtures of rstest. Every case is a test, and is checked on its own.
//!
//!     cargo test -p leakcheck-examples --test rstest_cases
//!
//! The run ends red, on purpose: one of three cases leaks, and the report names it. Memory that a fixture allocates
//! counts for the case that uses it. Other test macros, such as `test_case` and `test_log`, work the same way.

use std::collections::HashMap;

use rstest::{fixture, rstest};

#[derive(Default)]
struct Columns {
    by_name: HashMap<&'static str, usize>,
}

impl Columns {
    fn add(&mut self, name: &'static str) {
        let position = self.by_name.len();
        self.by_name.insert(name, position);
    }
}

#[fixture]
fn columns() -> Columns {
    let mut columns = Columns::default();
    columns.add("id");
    columns
}

fn read_header(header: &'static str, columns: &mut Columns) {
    for name in header.split(',') {
        match name.strip_prefix('"') {
            // The bug: a quoted name is copied and leaked, although a slice of the header would be enough.
            Some(quoted) => columns.add(quoted.trim_end_matches('"').to_owned().leak()),
            None => columns.add(name),
        }
    }
}

#[rstest]
#[case::one_column("name", 2)]
#[case::two_columns("name,town", 3)]
#[case::quoted_columns("name,\"town\"", 3)]
#[leakcheck::leak_check(threshold_bytes = 0)]
fn a_header_names_the_columns(
    mut columns: Columns,
    #[case] header: &'static str,
    #[case] number: usize,
) {
    read_header(header, &mut columns);
    assert_eq!(columns.by_name.len(), number);
}
