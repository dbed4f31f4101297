//! Lesson 8: how much is too much, by test, by kind of test, and for one run.
//!
//!     cargo test -p leakcheck-examples --test thresholds_by_kind
//!
//! It ends green. Every test here keeps what it must keep, within the limit that it has. Now take all room away for one
//! run, and read which limit was broken in each report, and where it came from:
//!
//!     LEAK_THRESHOLD_MB=0 cargo test -p leakcheck-examples --test thresholds_by_kind

use std::sync::{Mutex, OnceLock};

use leakcheck::leak_check;

const KB: usize = 1024;

/// What the service keeps on purpose: one entry for each table that was loaded.
static TABLES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn load_table(kb: usize) {
    TABLES.lock().unwrap().push(vec![1; kb * KB]);
}

/// Tests in `tests/`, and so this one, are of the kind `integration` by themselves: 5 MB.
#[leak_check]
#[test]
fn an_integration_test_has_5_mb() {
    load_table(4 * KB);
}

/// Tests beside the code are of the kind `unit` by themselves. 1 MB.
#[leak_check(kind = "unit")]
#[test]
fn a_unit_test_has_1_mb() {
    load_table(KB / 2);
}

/// A long test says so, and has 10 MB.
#[leak_check(kind = "long_running")]
#[test]
fn a_long_running_test_has_10_mb() {
    for _ in 0..9 {
        load_table(KB);
    }
}

/// A test may have a limit of its own, in fractions of a megabyte or in bytes (`threshold_bytes`).
#[leak_check(threshold_mb = 0.5)]
#[test]
fn a_test_of_its_own_has_half_a_mb() {
    load_table(400);
}

/// Blocks can be limited beside bytes: the index may be large, but it must stay one block.
#[leak_check(threshold_blocks = 1)]
#[test]
fn the_index_is_one_block() {
    static INDEX: OnceLock<Vec<u32>> = OnceLock::new();
    assert_eq!(INDEX.get_or_init(|| vec![0; 100_000]).len(), 100_000);
}

/// The peak can be limited too: 64 MB pass through this test, and at most 1 MB may be there at once.
#[leak_check(peak_mb = 1)]
#[test]
fn a_large_upload_is_read_in_parts() {
    let sum: usize = (0..64 * 4).map(|_| vec![1_u8; 256 * KB]).map(|part| part.len()).sum();
    assert_eq!(sum, 64 * KB * KB);
}
