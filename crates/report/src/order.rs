//! Sorting of short lists, stable as in the standard library.
//!
//! The standard library's sort is several thousand lines of code to compile for each type of item. Here the only
//! items that it sorts are indices, so it is compiled once. Long lists are better sorted directly.

use std::cmp::Ordering;

/// As [`slice::sort_by_key`].
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// As [`slice::sort_by`].
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let order = order(items.len(), &|one, other| compare(&items[one], &items[other]));
    arrange(order, &mut |one, other| items.swap(one, other));
}

/// The indices of items in their order.
fn order(length: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    order.sort_by(|one, other| compare(*one, *other));
    order
}

/// Moves each item to the position of its index in the order, cycle by cycle.
fn arrange(mut order: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..order.len() {
        let mut position = start;
        while order[position] != start {
            let from = order[position];
            swap(position, from);
            order[position] = position;
            position = from;
        }
        order[position] = position;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_sorted_and_equal_ones_keep_their_order() {
        for length in 0..50_u64 {
            // Neighbors are far apart, and each key occurs several times.
            let items: Vec<(u64, u64)> = (0..length).map(|at| (at * 7_919 % 13, at)).collect();
            let (mut sorted, mut expected) = (items.clone(), items);
            sort_by_key(&mut sorted, |item| item.0);
            expected.sort_by_key(|item| item.0);
            assert_eq!(sorted, expected);
        }
    }
}
