//! What a pointer into a block tells.

use crate::heap::word;

/// What a pointer into a block tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Somebody holds the block: smart pointers, vectors and tables point there.
    Direct,
    /// It is somewhere inside: a part of it that is borrowed, or a number that looks like it.
    Interior,
}

/// The counts of an `Rc` or an `Arc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) strong: usize,
    pub(crate) weak: usize,
}

/// Counts above this are none: as many pointers would not fit into memory.
const MAX_COUNT: usize = 1 << 31;

/// The counts at the beginning of a block, if they can be such.
pub(crate) fn counts(start: usize, bytes: usize) -> Option<Counts> {
    if bytes < 16 {
        return None;
    }
    // SAFETY: the block is live and has two words.
    let [strong, weak] = [start, start + 8].map(|at| unsafe { word(at) });
    // A count of 0 is an object that is gone and whose `Weak`s are not.
    (strong < MAX_COUNT && (1..MAX_COUNT).contains(&weak)).then_some(Counts { strong, weak })
}

/// What a pointer `value` into the block at `start` tells.
pub(crate) fn evidence(start: usize, bytes: usize, value: usize) -> Evidence {
    let inside = value - start;
    // The lower bits may be a tag, as those of `Bytes`, tokio and crossbeam are.
    if inside < 8 {
        return Evidence::Direct;
    }
    // `Arc::into_raw` points behind the counts.
    let is_refcounted =
        inside == 16 && counts(start, bytes).is_some_and(|counts| counts.strong > 0);
    if is_refcounted || is_table(start, bytes, inside) {
        Evidence::Direct
    } else {
        Evidence::Interior
    }
}

/// How many control bytes are read at once.
const GROUP: usize = if cfg!(target_arch = "x86_64") { 16 } else { 8 };

/// Whether `inside` is where the control bytes of a hash table of the standard library begin: one
/// for each bucket, behind the buckets, and those of the first group once more.
fn is_table(start: usize, bytes: usize, inside: usize) -> bool {
    let rest = bytes - inside;
    if rest <= GROUP || !inside.is_multiple_of(GROUP) {
        return false;
    }
    let buckets = rest - GROUP;
    // The size was rounded up to whole words.
    has_control_bytes(start + inside, buckets, inside)
        || (buckets == 8 && has_control_bytes(start + inside, 4, inside))
}

fn has_control_bytes(control: usize, buckets: usize, data: usize) -> bool {
    const EMPTY: u8 = 0xff;
    const DELETED: u8 = 0x80;
    if !buckets.is_power_of_two() || buckets < 4 || data < buckets {
        return false;
    }
    let byte = |index: usize| {
        // SAFETY: the index is less than `buckets + GROUP`, which is how much of the block is left.
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

    fn tell(start: usize, bytes: usize, value: usize) -> Evidence {
        evidence(start, bytes, value)
    }

    #[test]
    fn the_beginning_is_direct_with_and_without_a_tag() {
        let block = Box::new([0_u64; 8]);
        let start = &raw const *block as usize;
        assert_eq!(tell(start, 64, start), Evidence::Direct);
        assert_eq!(tell(start, 64, start + 1), Evidence::Direct);
        assert_eq!(tell(start, 64, start + 24), Evidence::Interior);
    }

    #[test]
    fn what_is_shared_is_held_behind_its_counts() {
        let shared = Arc::new(7_u64);
        let value = Arc::into_raw(shared.clone()) as usize;
        assert_eq!(tell(value - 16, 24, value), Evidence::Direct);
        let more = Rc::new(7_u64);
        let found = counts(Rc::as_ptr(&more) as usize - 16, 24);
        assert_eq!(found, Some(Counts { strong: 1, weak: 1 }));
    }

    #[test]
    fn a_table_is_held_by_its_middle() {
        // Where the control bytes of a table are is known by the pointer that it begins with.
        for entries in [1_usize, 3, 7, 20, 500] {
            let map: HashMap<u64, [u64; 3]> = (0..entries as u64).map(|n| (n, [n; 3])).collect();
            let words = &raw const map as usize;
            let buckets = (map.capacity() * 8 / 7).next_power_of_two().max(4);
            let data = buckets * 32;
            let bytes = data + buckets + 16;
            // SAFETY: a map begins with its table, which has a pointer among its first words.
            let control = (0..4)
                .map(|index| unsafe { word(words + 8 * index) })
                .find(|value| *value > 1 << 20)
                .unwrap();
            assert_eq!(tell(control - data, bytes, control), Evidence::Direct, "{entries}");
        }
    }
}
