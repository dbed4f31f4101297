//! The records of one thread in one region, by call site.
//!
//! This is an open-addressing hash table that one thread owns. The allocator's fast path searches
//! it for every stack that differs from the previous one, so it consists of plain loops over plain
//! memory, which are fast in unoptimized builds too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;

use leakcheck_system::overhead;
use leakcheck_unwind::walk_cache::WalkCache;

use super::record::Record;
use crate::call_site::Site;

#[repr(C)]
#[derive(Clone, Copy)]
struct SiteEntry {
    hash: u64,
    /// `None` if the entry is empty, in which case it is all zeros.
    record: Option<&'static Record>,
    site: Option<&'static Site>,
}

/// A table of records by call site. All zeros is an empty table.
#[repr(C)]
pub(crate) struct Sites {
    entries: *mut SiteEntry,
    /// The capacity minus one. The capacity is a power of two.
    mask: usize,
    used: usize,
}

const MIN_CAPACITY: usize = 16;
/// The greatest capacity of a table that is kept when it is cleared.
const KEPT_CAPACITY: usize = 1024;

impl Sites {
    /// Removes all entries. A table of the size that most regions need keeps its memory.
    pub(crate) fn clear(&mut self) {
        if self.mask >= KEPT_CAPACITY {
            self.free();
        }
        if !self.entries.is_null() {
            // SAFETY: the table has `mask + 1` entries, and all zeros is a valid entry.
            unsafe { self.entries.write_bytes(0, self.mask + 1) };
        }
        self.used = 0;
    }

    /// Returns the record of the stack in a walk cache, `None` if there is none yet.
    #[expect(clippy::question_mark, reason = "`?` is a call in an unoptimized build")]
    #[inline(always)]
    pub(crate) fn find(&self, cache: &WalkCache) -> Option<&'static Record> {
        if self.used == 0 {
            return None;
        }
        let hash = cache.hash();
        let mut index = (hash >> 32) as usize & self.mask;
        loop {
            // SAFETY: the mask keeps the index below the capacity.
            let entry = unsafe { self.entries.add(index) };
            // SAFETY: the table was allocated zeroed, so the entry is valid, and `&self` keeps
            // others from writing to it.
            let entry = unsafe { &*entry };
            let Some(site) = entry.site else { return None };
            if entry.hash == hash && site.matches(cache.frames()) {
                return entry.record;
            }
            index = (index + 1) & self.mask;
        }
    }

    /// Adds a record for the stack in a walk cache, which must have none. Returns `false` if memory
    /// is exhausted.
    pub(crate) fn add(
        &mut self,
        cache: &WalkCache,
        site: &'static Site,
        record: &'static Record,
    ) -> bool {
        if (self.used + 1) * 4 > (self.mask + 1) * 3 && !self.grow() {
            return false;
        }
        self.insert(SiteEntry { hash: cache.hash(), record: Some(record), site: Some(site) });
        self.used += 1;
        true
    }

    fn insert(&mut self, new: SiteEntry) {
        let mut index = (new.hash >> 32) as usize & self.mask;
        loop {
            // SAFETY: the mask keeps the index below the capacity.
            let entry = unsafe { self.entries.add(index) };
            // SAFETY: the table was allocated zeroed, so the entry is valid, and `&mut self` keeps
            // others from accessing it.
            let entry = unsafe { &mut *entry };
            if entry.site.is_none() {
                *entry = new;
                return;
            }
            index = (index + 1) & self.mask;
        }
    }

    fn grow(&mut self) -> bool {
        let capacity = if self.entries.is_null() { MIN_CAPACITY } else { (self.mask + 1) * 2 };
        let Ok(layout) = Layout::array::<SiteEntry>(capacity) else { return false };
        // SAFETY: the layout is not empty, because the capacity is at least `MIN_CAPACITY`.
        let entries = unsafe { System.alloc_zeroed(layout) }.cast::<SiteEntry>();
        if entries.is_null() {
            return false;
        }
        overhead::add_table(layout.size());
        let mut old = Self { entries, mask: capacity - 1, used: self.used };
        std::mem::swap(self, &mut old);
        if !old.entries.is_null() {
            for index in 0..=old.mask {
                // SAFETY: the old table has `old.mask + 1` entries.
                let entry = unsafe { old.entries.add(index) };
                // SAFETY: the old table was allocated zeroed, so the entry is valid, and `old` owns
                // it.
                let entry = unsafe { *entry };
                if entry.site.is_some() {
                    self.insert(entry);
                }
            }
            old.free();
        }
        true
    }

    fn free(&mut self) {
        if let Ok(layout) = Layout::array::<SiteEntry>(self.mask + 1) {
            // SAFETY: `grow` allocated the table with this layout, and the pointer is reset below.
            unsafe { System.dealloc(self.entries.cast(), layout) };
            overhead::remove_table(layout.size());
        }
        *self = Self { entries: null_mut(), mask: 0, used: 0 };
    }
}
