//! All live blocks by address.

use leakcheck_ledger::alloc::HEADER;
use leakcheck_ledger::packed_size::PackedSize;
use leakcheck_ledger::shadow::{self, Chunk};
use leakcheck_ledger::{RegionId, SiteId, live};

use crate::array::Array;
use crate::pages::Pages;

/// Stands for no block.
pub(crate) const NONE: u32 = u32::MAX;

/// The blocks sorted by address, with a hash table from a page to the first block in it.
#[derive(Debug)]
pub(crate) struct Heap {
    pub(crate) count: usize,
    starts: Array<u64>,
    sizes: Array<PackedSize>,
    low: usize,
    high: usize,
    /// The keys of the hash table: page numbers plus one, so that 0 is an empty slot.
    pages: Array<u64>,
    firsts: Array<u32>,
    page_bits: u32,
    /// A Bloom filter of the pages with blocks, which rejects most words that are not pointers.
    filter: Array<u64>,
}

const PAGE: u32 = 12;
const FILTER_BITS: u32 = 21;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// The limit on pages in the hash table. Beyond it, only the first pages of large blocks are found.
const MAX_PAGES: usize = 1 << 24;

impl Heap {
    /// Reads the shadow map, or returns `None` if there is no memory for its blocks.
    pub(crate) fn of_live_blocks(pages: &Pages) -> Option<Self> {
        let mut count = 0;
        each_block(pages, |_| count += 1);
        let starts = Array::<u64>::new(count)?;
        let sizes = Array::<PackedSize>::new(count)?;
        // The map is ordered by address.
        let mut taken = 0;
        each_block(pages, |block| {
            // SAFETY: the map has the block, and this code runs in the child of a snapshot, where
            // no other thread exists.
            let (size, ..) = unsafe { live::header_of(block) };
            starts.set(taken, block as u64);
            sizes.set(taken, size);
            taken += 1;
        });
        let mut heap = Self {
            count,
            starts,
            sizes,
            low: usize::MAX,
            high: 0,
            pages: Array::new(1)?,
            firsts: Array::new(1)?,
            page_bits: 0,
            filter: Array::new(1 << (FILTER_BITS - 6))?,
        };
        heap.make_pages()?;
        Some(heap)
    }

    /// The index of the first block that ends after an address.
    pub(crate) fn first_from(&self, address: usize) -> usize {
        let index = self.index_of(address);
        if index > 0 && self.end(index - 1) > address { index - 1 } else { index }
    }

    /// The index of the first block that starts at or after an address.
    fn index_of(&self, block: usize) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = (low + high) / 2;
            if (self.starts.get(middle) as usize) < block {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn make_pages(&mut self) -> Option<()> {
        let mut pages = 0;
        for index in 0..self.count {
            let (start, end) = (self.start(index), self.end(index));
            pages += ((end - 1) >> PAGE) - (start >> PAGE) + 1;
            if start < self.low {
                self.low = start;
            }
            if end > self.high {
                self.high = end;
            }
        }
        let capacity = (pages.min(MAX_PAGES) * 3 / 2).next_power_of_two().max(64);
        self.page_bits = capacity.trailing_zeros();
        self.pages = Array::new(capacity)?;
        self.firsts = Array::new(capacity)?;
        let mut last = usize::MAX;
        let mut room = MAX_PAGES;
        for index in 0..self.count {
            let (first, end) = (self.start(index) >> PAGE, (self.end(index) - 1) >> PAGE);
            let mut page = first;
            while page <= end && room > 0 {
                if page != last {
                    self.add_page(page, index as u32);
                    last = page;
                    room -= 1;
                }
                page += 1;
            }
        }
        Some(())
    }

    fn add_page(&self, page: usize, first: u32) {
        let hash = (page as u64 + 1).wrapping_mul(FACTOR);
        let bit = (hash >> (64 - FILTER_BITS)) as usize;
        self.filter.set(bit >> 6, self.filter.get(bit >> 6) | 1 << (bit & 63));
        let mask = (1 << self.page_bits) - 1;
        let mut slot = (hash >> (64 - self.page_bits)) as usize;
        while self.pages.get(slot) != 0 {
            slot = (slot + 1) & mask;
        }
        self.pages.set(slot, page as u64 + 1);
        self.firsts.set(slot, first);
    }

    pub(crate) fn start(&self, index: usize) -> usize {
        self.starts.get(index) as usize
    }

    /// The size that the program requested.
    pub(crate) fn bytes(&self, index: usize) -> u64 {
        self.sizes.get(index).bytes() as u64
    }

    /// The size in words, rounded up.
    #[inline(always)]
    pub(crate) fn words(&self, index: usize) -> usize {
        let size = self.sizes.get(index).bytes();
        if size <= 8 { 1 } else { size.div_ceil(8) }
    }

    fn end(&self, index: usize) -> usize {
        self.start(index) + 8 * self.words(index)
    }

    /// The block that contains an address, or [`NONE`].
    #[inline(always)]
    pub(crate) fn find(&self, address: usize) -> u32 {
        if address < self.low || address >= self.high {
            return NONE;
        }
        let page = address >> PAGE;
        let hash = (page as u64 + 1).wrapping_mul(FACTOR);
        let bit = (hash >> (64 - FILTER_BITS)) as usize;
        if self.filter.get(bit >> 6) & (1 << (bit & 63)) == 0 {
            return NONE;
        }
        self.find_in_page(address, page, hash)
    }

    fn find_in_page(&self, address: usize, page: usize, hash: u64) -> u32 {
        let mask = (1 << self.page_bits) - 1;
        let mut slot = (hash >> (64 - self.page_bits)) as usize;
        loop {
            let key = self.pages.get(slot);
            if key == 0 {
                return NONE;
            }
            if key == page as u64 + 1 {
                break;
            }
            slot = (slot + 1) & mask;
        }
        // Few blocks start in one page, so an exponential search is faster than a binary search.
        let mut low = self.firsts.get(slot) as usize;
        let (mut high, mut step) = (low + 1, 1);
        while high < self.count && self.start(high) <= address {
            low = high;
            high += step;
            step *= 2;
        }
        high = if high < self.count { high } else { self.count };
        while high - low > 1 {
            let middle = (low + high) / 2;
            if self.start(middle) <= address {
                low = middle;
            } else {
                high = middle;
            }
        }
        if self.start(low) <= address && address < self.end(low) { low as u32 } else { NONE }
    }

    /// Whether a block is one of leakcheck's own.
    pub(crate) fn is_untracked(&self, index: usize) -> bool {
        // SAFETY: the block is live, and no other thread of the child frees it.
        let (_, tag, _) = unsafe { live::header_of(self.start(index)) };
        tag.is_untracked()
    }

    /// The owner of a block and the call site that allocated it.
    pub(crate) fn owner(&self, index: usize) -> (RegionId, SiteId) {
        // SAFETY: the block is live, and no other thread of the child frees it.
        let (_, tag, site) = unsafe { live::header_of(self.start(index)) };
        (tag.owner(), site)
    }
}

/// Calls `each` with the address of every live block, in ascending order.
fn each_block(pages: &Pages, mut each: impl FnMut(usize)) {
    shadow::each_chunk(|chunk| {
        pages.each_run(chunk.start, chunk.start + Chunk::LEN, |from, to| {
            let mut at = from;
            while at < to {
                // SAFETY: runs consist of pages, so the eight bytes are within the chunk.
                let any = unsafe { word(at) } != 0;
                let mut byte = at;
                while any && byte < at + 8 {
                    if let Some(header_addr) = chunk.header_at(byte - chunk.start) {
                        each(header_addr + HEADER);
                    }
                    byte += 1;
                }
                at += 8;
            }
            true
        });
    });
}

/// Reads a word of the program's memory.
///
/// # Safety
///
/// The address must be aligned and readable.
#[inline(always)]
pub(crate) unsafe fn word(address: usize) -> usize {
    // SAFETY: the caller guarantees that the address is aligned and readable. The read is volatile
    // because the compiler may not know who wrote the word.
    unsafe { (address as *const usize).read_volatile() }
}
