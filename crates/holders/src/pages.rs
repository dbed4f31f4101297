//! Which pages of the snapshot are worth reading: those that have contents and may be read.

use std::ops::Range;
use std::{fs, io};

use leakcheck_system::spare_fd;

use crate::threads::Unreadable;

pub(crate) const PAGE: usize = 1 << 12;

/// How many pages the kernel is asked about at once: those of 16 MiB.
const BATCH: usize = 1 << 12;

const STATUS: &str = "/proc/self/status";

/// Whether the kernel has swapped out pages of this process, which it does not tell from pages
/// without contents.
fn swaps() -> Result<bool, Unreadable> {
    let status = spare_fd::with(|| fs::read_to_string(STATUS))
        .map_err(|error| Unreadable::new(STATUS, &error))?;
    let swapped = status.lines().find_map(|line| line.strip_prefix("VmSwap:"));
    // A kernel without swap does not have the line.
    Ok(swapped.is_some_and(|amount| !amount.trim_start().starts_with("0 ")))
}

/// What is known of the pages before a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Mapped memory that must not be read, in ascending order.
    unreadable: Vec<Range<usize>>,
    /// Whether all mapped pages count as present.
    swapped: bool,
}

impl Pages {
    /// # Errors
    ///
    /// Returns an error where the status of the process cannot be read, or the kernel does not say
    /// which pages are present: without an answer every page would look absent, and every block lost.
    pub(crate) fn new(unreadable: Vec<Range<usize>>) -> Result<Self, Unreadable> {
        let here = 0_u8;
        let page = (&raw const here as usize) & !(PAGE - 1);
        if !ask(page, 1, &mut [0]) {
            return Err(Unreadable::pages(&io::Error::last_os_error()));
        }
        Ok(Self { unreadable, swapped: swaps()? })
    }

    /// Whether the page of an address has contents and may be read.
    pub(crate) fn is_readable(&self, address: usize) -> bool {
        is_present(address, self.swapped) && !self.forbids(address)
    }

    fn forbids(&self, address: usize) -> bool {
        let index = self.unreadable.partition_point(|range| range.end <= address);
        self.unreadable.get(index).is_some_and(|range| range.start <= address)
    }

    /// The next readable address from `start` on, or `end`.
    pub(crate) fn next_readable(&self, start: usize, end: usize) -> usize {
        let mut found = end;
        self.each_run(start, end, |from, _| {
            found = from;
            false
        });
        found
    }

    /// Calls `each` with the readable runs of pages in a range until it returns `false`.
    pub(crate) fn each_run(
        &self,
        start: usize,
        end: usize,
        mut each: impl FnMut(usize, usize) -> bool,
    ) {
        each_present(start, end, self.swapped, |mut from, to| {
            let mut index = self.unreadable.partition_point(|range| range.end <= from);
            while from < to {
                let next = self.unreadable.get(index).map_or(to..to, |range| range.clone());
                if from < next.start.min(to) && !each(from, next.start.min(to)) {
                    return false;
                }
                from = next.end;
                index += 1;
            }
            true
        });
    }
}

/// Whether the page of an address is mapped and has contents.
fn is_present(address: usize, swapped: bool) -> bool {
    let mut present = [0_u8; 1];
    ask(address & !(PAGE - 1), 1, &mut present) && (swapped || present[0] & 1 != 0)
}

/// Asks the kernel which of `count` pages have contents. Returns `false` if one is not mapped.
fn ask(page: usize, count: usize, present: &mut [u8]) -> bool {
    let count = if count < present.len() { count } else { present.len() };
    // SAFETY: `mincore` writes one byte for each of the pages to the slice, which has as many, and
    // fails if one of them is not mapped.
    unsafe { libc::mincore(page as *mut libc::c_void, count * PAGE, present.as_mut_ptr()) == 0 }
}

/// Calls `each` with the runs of present pages in a range until it returns `false`.
fn each_present(
    start: usize,
    end: usize,
    swapped: bool,
    mut each: impl FnMut(usize, usize) -> bool,
) {
    let mut present = [0_u8; BATCH];
    let (mut page, mut batch) = (start & !(PAGE - 1), BATCH);
    while page < end {
        let rest = (end - page).div_ceil(PAGE);
        let count = if rest < batch { rest } else { batch };
        if !ask(page, count, &mut present) {
            // A page of the batch is not mapped.
            if count == 1 {
                page += PAGE;
            } else {
                batch = count / 2;
            }
            continue;
        }
        if swapped {
            present[..count].fill(1);
        }
        let more = each_run_of(&present, count, |from, to| {
            each((page + from * PAGE).max(start), (page + to * PAGE).min(end))
        });
        if !more {
            return;
        }
        page += count * PAGE;
        batch = if 2 * batch < BATCH { 2 * batch } else { BATCH };
    }
}

/// Calls `each` with the bounds of every run of set bytes until it returns `false`, which is then
/// returned. It steps over eight clear bytes at once.
fn each_run_of(
    present: &[u8; BATCH],
    count: usize,
    mut each: impl FnMut(usize, usize) -> bool,
) -> bool {
    let is_set = |index: usize| present[index] & 1 != 0;
    let (mut index, mut from) = (0, usize::MAX);
    while index < count {
        if from == usize::MAX && index.is_multiple_of(8) && present[index..index + 8] == [0; 8] {
            index += 8;
            continue;
        }
        if is_set(index) {
            if from == usize::MAX {
                from = index;
            }
        } else if from != usize::MAX {
            if !each(from, index) {
                return false;
            }
            from = usize::MAX;
        }
        index += 1;
    }
    from == usize::MAX || each(from, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pages: usize) -> usize {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), pages * PAGE, access, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        // SAFETY: the range is the new mapping.
        unsafe { libc::madvise(start, pages * PAGE, libc::MADV_NOHUGEPAGE) };
        start as usize
    }

    fn touch(address: usize) {
        // SAFETY: the tests pass addresses of their own mappings.
        unsafe { (address as *mut u8).write_volatile(1) };
    }

    fn runs(pages: &Pages, start: usize, end: usize) -> Vec<(usize, usize)> {
        let mut runs = Vec::new();
        pages.each_run(start, end, |from, to| {
            runs.push(((from - start) / PAGE, (to - start) / PAGE));
            true
        });
        runs
    }

    #[test]
    fn only_pages_with_contents_are_visited() {
        let count = 3 * BATCH;
        let start = map(count);
        for page in [0, 1, 7, BATCH - 1, BATCH, count - 1] {
            touch(start + page * PAGE);
        }
        let pages = Pages::default();
        let end = start + count * PAGE;
        let all = [(0, 2), (7, 8), (BATCH - 1, BATCH), (BATCH, BATCH + 1), (count - 1, count)];
        assert_eq!(runs(&pages, start, end), all);
        assert_eq!(pages.next_readable(start + 2 * PAGE, end), start + 7 * PAGE);
        assert_eq!(pages.next_readable(start + 8 * PAGE, start + 9 * PAGE), start + 9 * PAGE);
        assert!(pages.is_readable(start + 7 * PAGE) && !pages.is_readable(start + 8 * PAGE));
        let swapped = Pages { swapped: true, ..Pages::default() };
        assert_eq!(runs(&swapped, start, start + 9 * PAGE), [(0, 9)]);
        // SAFETY: the mapping is this test's own.
        unsafe { libc::munmap(start as *mut libc::c_void, count * PAGE) };
    }

    #[test]
    fn pages_that_must_not_be_read_or_are_not_mapped_are_skipped() {
        let start = map(8);
        (0..8).for_each(|page| touch(start + page * PAGE));
        let page = |number: usize| start + number * PAGE..start + (number + 1) * PAGE;
        let pages = Pages::new(vec![page(2), page(3)]).unwrap();
        assert_eq!(runs(&pages, start, start + 8 * PAGE), [(0, 2), (4, 8)]);
        assert!(!pages.is_readable(start + 3 * PAGE) && pages.is_readable(start + 4 * PAGE));
        // Nothing may be mapped here.
        assert_eq!(runs(&pages, PAGE, 5 * PAGE), []);
        // SAFETY: the mapping is this test's own.
        unsafe { libc::munmap(start as *mut libc::c_void, 8 * PAGE) };
    }
}
