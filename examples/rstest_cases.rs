//! Lesson 9: cases and fixtures of rstest; every case is a test, and is checked alone.
//!
//!     cargo test -p leakcheck-examples --test rstest_cases
//!
//! It ends red, on purpose: one case of three leaks, and the report has its name. What a fixture makes counts as
//! the case's own. Other macros work the same: `test_case`, `test_log`, and those that are not known here.

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
            // The mistake: a quoted name is copied for good, though a slice of the header would do.
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
