//! The call sites that one thread has met in one region, by their stacks.
//!
//! A table with open addressing that one thread owns. The allocator looks here for every stack that
//! is not the one before, in builds without optimisation too: plain loops over plain memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;

use super::record::Record;
use crate::call_site::Site;
use leakcheck_system::overhead;
use leakcheck_unwind::walk_cache::WalkCache;

#[repr(C)]
#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    /// `None` where the entry is empty, which is all zeros.
    record: Option<&'static Record>,
    site: Option<&'static Site>,
}

/// All zeros is an empty table.
#[repr(C)]
pub(crate) struct Sites {
    entries: *mut Entry,
    /// How many entries there is room for, less one; a power of two less one.
    mask: usize,
    used: usize,
}

const FIRST: usize = 64;

impl Sites {
    /// Forgets all of them. The room stays, up to a size that most regions need.
    pub(crate) fn clear(&mut self) {
        if self.mask >= 16 * FIRST {
            self.free();
        }
        if !self.entries.is_null() {
            // SAFETY: there is room for `mask + 1` entries, and zeros are an empty one.
            unsafe { self.entries.write_bytes(0, self.mask + 1) };
        }
        self.used = 0;
    }

    /// The record of the stack that a cache holds, `None` where it is new.
    #[expect(clippy::question_mark, reason = "`?` is a call in a build without optimisation")]
    #[inline(always)]
    pub(crate) fn find(&self, cache: &WalkCache) -> Option<&'static Record> {
        if self.used == 0 {
            return None;
        }
        let hash = cache.hash();
        let mut index = (hash >> 32) as usize & self.mask;
        loop {
            // SAFETY: the index is within the table.
            let place = unsafe { self.entries.add(index) };
            // SAFETY: entries are initialised, and this thread's.
            let entry = unsafe { &*place };
            let Some(site) = entry.site else { return None };
            if entry.hash == hash && site.is(cache.frames()) {
                return entry.record;
            }
            index = (index + 1) & self.mask;
        }
    }

    /// Adds a stack that is not there. `false` when memory is used up.
    pub(crate) fn add(
        &mut self,
        cache: &WalkCache,
        site: &'static Site,
        record: &'static Record,
    ) -> bool {
        if (self.used + 1) * 4 > (self.mask + 1) * 3 && !self.grow() {
            return false;
        }
        self.put(Entry { hash: cache.hash(), record: Some(record), site: Some(site) });
        self.used += 1;
        true
    }

    fn put(&mut self, new: Entry) {
        let mut index = (new.hash >> 32) as usize & self.mask;
        loop {
            // SAFETY: the index is within the table, where a quarter of the entries is empty.
            let place = unsafe { self.entries.add(index) };
            // SAFETY: entries are initialised, and this thread's.
            let entry = unsafe { &mut *place };
            if entry.site.is_none() {
                *entry = new;
                return;
            }
            index = (index + 1) & self.mask;
        }
    }

    fn grow(&mut self) -> bool {
        let room = if self.entries.is_null() { FIRST } else { (self.mask + 1) * 2 };
        let Ok(layout) = Layout::array::<Entry>(room) else { return false };
        // SAFETY: the layout is not empty.
        let entries = unsafe { System.alloc_zeroed(layout) }.cast::<Entry>();
        if entries.is_null() {
            return false;
        }
        overhead::add_table(layout.size());
        let mut old = Self { entries, mask: room - 1, used: self.used };
        std::mem::swap(self, &mut old);
        if !old.entries.is_null() {
            for index in 0..=old.mask {
                // SAFETY: the index is within the old table.
                let place = unsafe { old.entries.add(index) };
                // SAFETY: entries are initialised, and this thread's.
                let entry = unsafe { *place };
                if entry.site.is_some() {
                    self.put(entry);
                }
            }
            old.free();
        }
        true
    }

    fn free(&mut self) {
        if let Ok(layout) = Layout::array::<Entry>(self.mask + 1) {
            // SAFETY: `grow` allocated the table with this layout, and it is forgotten below.
            unsafe { System.dealloc(self.entries.cast(), layout) };
            overhead::remove_table(layout.size());
        }
        *self = Self { entries: null_mut(), mask: 0, used: 0 };
    }
}
