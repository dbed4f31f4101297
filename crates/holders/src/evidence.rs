//! What a pointer into a block proves.

use crate::heap::word;

/// What a pointer into a block proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The pointer keeps the block alive: smart pointers and vectors point to such an address.
    Direct,
    /// The pointer is to the control bytes of a hash table with this many buckets, and keeps the
    /// block alive.
    Table { buckets: usize },
    /// The pointer is to the interior of the block. It may borrow a part of it, or be a number.
    Interior,
}

/// The reference counts of an `Rc` or `Arc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) strong: usize,
    pub(crate) weak: usize,
}

/// The limit on plausible counts. This many pointers do not fit into memory.
const MAX_COUNT: usize = 1 << 31;

/// The reference counts at the start of a block, if its first words are plausible counts.
pub(crate) fn counts(start: usize, bytes: usize) -> Option<Counts> {
    if bytes < 16 {
        return None;
    }
    // SAFETY: the block is live and has at least two words.
    let [strong, weak] = [start, start + 8].map(|at| unsafe { word(at) });
    // The strong count is 0 where the value is dropped and only `Weak`s remain.
    (strong < MAX_COUNT && (1..MAX_COUNT).contains(&weak)).then_some(Counts { strong, weak })
}

/// What the pointer `value` proves about the block at `start`.
pub(crate) fn evidence(start: usize, bytes: usize, value: usize) -> Evidence {
    let inside = value - start;
    // The lower bits may be a tag, as in `bytes`, tokio and crossbeam.
    if inside < 8 {
        return Evidence::Direct;
    }
    // `Arc::into_raw` returns the address after the counts.
    let is_refcounted =
        inside == 16 && counts(start, bytes).is_some_and(|counts| counts.strong > 0);
    if is_refcounted {
        return Evidence::Direct;
    }
    match table_buckets(start, bytes, inside) {
        Some(buckets) => Evidence::Table { buckets },
        None => Evidence::Interior,
    }
}

impl Evidence {
    /// Whether the pointer keeps the block alive.
    pub(crate) fn is_direct(self) -> bool {
        self != Self::Interior
    }
}

/// The number of control bytes that hashbrown reads at once.
const GROUP: usize = if cfg!(target_arch = "x86_64") { 16 } else { 8 };

/// The number of buckets of a hash table whose control bytes start at offset `inside`. hashbrown
/// stores one for each bucket after the buckets, followed by a copy of the first group.
fn table_buckets(start: usize, bytes: usize, inside: usize) -> Option<usize> {
    let rest = bytes - inside;
    if rest <= GROUP || !inside.is_multiple_of(GROUP) {
        return None;
    }
    let buckets = rest - GROUP;
    if has_control_bytes(start + inside, buckets, inside) {
        return Some(buckets);
    }
    // The size is rounded up to whole words.
    (buckets == 8 && has_control_bytes(start + inside, 4, inside)).then_some(4)
}

fn has_control_bytes(control: usize, buckets: usize, data: usize) -> bool {
    const EMPTY: u8 = 0xff;
    const DELETED: u8 = 0x80;
    if !buckets.is_power_of_two() || buckets < 4 || data < buckets {
        return false;
    }
    let byte = |index: usize| {
        // SAFETY: the caller checked that the block has `buckets + GROUP` bytes from `control` on,
        // and the index is below that.
        unsafe { ((control + index) as *const u8).read_volatile() }
    };
    let mut index = 0;
    while index < GROUP {
        let state = byte(index);
        let is_state = state < 0x80 || state == EMPTY || state == DELETED;
        let as_mirrored = if index >= buckets {
            state == EMPTY
        } else {
            state == byte(index + if buckets > GROUP { buckets } else { GROUP })
        };
        if !is_state || !as_mirrored {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::rc::Rc;
    use std::sync::Arc;

    #[test]
    fn a_pointer_to_the_start_is_direct_with_and_without_a_tag() {
        let block = Box::new([0_u64; 8]);
        let start = &raw const *block as usize;
        assert_eq!(evidence(start, 64, start), Evidence::Direct);
        assert_eq!(evidence(start, 64, start + 1), Evidence::Direct);
        assert_eq!(evidence(start, 64, start + 24), Evidence::Interior);
    }

    #[test]
    fn shared_values_are_pointed_to_after_their_counts() {
        let shared = Arc::new(7_u64);
        let value = Arc::into_raw(shared.clone()) as usize;
        assert_eq!(evidence(value - 16, 24, value), Evidence::Direct);
        let more = Rc::new(7_u64);
        let found = counts(Rc::as_ptr(&more) as usize - 16, 24);
        assert_eq!(found, Some(Counts { strong: 1, weak: 1 }));
    }

    #[test]
    fn a_table_is_pointed_to_at_its_control_bytes() {
        // The first word of a table that looks like an address is the one of its control bytes.
        for entries in [1_usize, 3, 7, 20, 500] {
            let map: HashMap<u64, [u64; 3]> = (0..entries as u64).map(|n| (n, [n; 3])).collect();
            let words = &raw const map as usize;
            let buckets = (map.capacity() * 8 / 7).next_power_of_two().max(4);
            let data = buckets * 32;
            let bytes = data + buckets + 16;
            // SAFETY: a map has at least four words, and any bits are a `usize`.
            let control = (0..4)
                .map(|index| unsafe { word(words + 8 * index) })
                .find(|value| *value > 1 << 20)
                .unwrap();
            let expected = Evidence::Table { buckets };
            assert_eq!(evidence(control - data, bytes, control), expected, "{entries}");
        }
    }
}
