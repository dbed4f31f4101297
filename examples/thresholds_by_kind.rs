//! Lesson 8: limits for a test, for a kind of test, and for a single run.
//!
//!     cargo test -p leakcheck-examples --test thresholds_by_kind
//!
//! The run ends green: every test keeps some memory, within its limit. Now set all byte limits to 0 for one run. Each
//! report says which limit was exceeded and where that limit was set:
//!
//!     LEAK_THRESHOLD_MB=0 cargo test -p leakcheck-examples --test thresholds_by_kind

use std::sync::{Mutex, OnceLock};

use leakcheck::leak_check;

const KIB: usize = 1024;

/// The service keeps each loaded table on purpose.
static TABLES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn load_table(kib: usize) {
    TABLES.lock().unwrap().push(vec![1; kib * KIB]);
}

/// Integration tests, such as those in this file, are of the kind `integration` by default: 5 MiB.
#[leak_check]
#[test]
fn an_integration_test_may_keep_5_mib() {
    load_table(4 * KIB);
}

/// Tests in the library itself are of the kind `unit` by default: 1 MiB.
#[leak_check(kind = "unit")]
#[test]
fn a_unit_test_may_keep_1_mib() {
    load_table(KIB / 2);
}

/// The kind `long_running` must be given: 10 MiB.
#[leak_check(kind = "long_running")]
#[test]
fn a_long_running_test_may_keep_10_mib() {
    for _ in 0..9 {
        load_table(KIB);
    }
}

/// A test can have its own limit, in MiB or in bytes (`threshold_bytes`).
#[leak_check(threshold_mb = 0.5)]
#[test]
fn this_test_may_keep_half_a_mib() {
    load_table(400);
}

/// The number of blocks can be limited too: the index may be large, but it must be a single block.
#[leak_check(threshold_blocks = 1)]
#[test]
fn the_index_is_one_block() {
    static INDEX: OnceLock<Vec<u32>> = OnceLock::new();
    assert_eq!(INDEX.get_or_init(|| vec![0; 100_000]).len(), 100_000);
}

/// So can the peak: this test allocates 64 MiB in total, of which at most 1 MiB may be live at any moment.
#[leak_check(peak_mb = 1)]
#[test]
fn a_large_upload_is_read_in_chunks() {
    let sum: usize = (0..64 * 4).map(|_| vec![1_u8; 256 * KIB]).map(|chunk| chunk.len()).sum();
    assert_eq!(sum, 64 * KIB * KIB);
}
