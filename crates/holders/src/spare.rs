//! The parts of a collection's block that have no elements in them, and may have stale pointers.
//!
//! What refers to the block tells which these are: a hash table has a control byte for each bucket,
//! and a vector has its capacity and length beside its pointer.

use crate::array::Array;
use crate::evidence::Evidence;
use crate::heap::word;

/// What a word of a block can prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// It is part of an element, or the block is not known to be a collection.
    Element,
    /// It seems to be part of no element.
    Unsure,
    /// It is part of no element.
    Spare,
}

/// The collections among the blocks.
#[derive(Debug)]
pub(crate) struct Collections {
    /// For the block of a collection, one of the numbers below plus an offset or a count.
    shapes: Array<u64>,
}

/// A hash table: the base-2 logarithm of the number of buckets in the upper half, and the offset of
/// the control bytes below.
const TABLE: u64 = 1 << 62;
/// A vector: the address of its pointer.
const VECTOR: u64 = 1 << 63;

/// Vectors that have grown by themselves have at least this capacity. Smaller numbers beside a
/// pointer often have another meaning.
const MIN_CAPACITY: usize = 4;

impl Collections {
    pub(crate) fn new(blocks: usize) -> Option<Self> {
        Some(Self { shapes: Array::new(blocks)? })
    }

    /// Notes what the word at `address`, which points into a block and has been found in the range
    /// from `low` to `high`, tells about it.
    pub(crate) fn note(
        &self,
        block: usize,
        (start, bytes): (usize, usize),
        found: Evidence,
        (address, low, high): (usize, usize, usize),
    ) {
        // SAFETY: callers pass the address of a word that they have read.
        let value = unsafe { word(address) };
        match found {
            Evidence::Table { buckets } => {
                let at = (value - start) as u64;
                if at < 1 << 32 {
                    self.shapes.set(block, TABLE | u64::from(buckets.trailing_zeros()) << 32 | at);
                }
            }
            Evidence::Direct if value == start && address >= low + 8 && address + 16 <= high => {
                // SAFETY: the words are in the range in which the pointer was found.
                let [capacity, len] = [address - 8, address + 8].map(|at| unsafe { word(at) });
                if capacity >= MIN_CAPACITY && len <= capacity && bytes.is_multiple_of(capacity) {
                    let has_second = address + 24 <= high;
                    self.shapes.set(block, VECTOR | u64::from(has_second) << 62 | address as u64);
                }
            }
            _ => {}
        }
    }

    /// Whether a block is a collection.
    #[inline(always)]
    pub(crate) fn has(&self, block: usize) -> bool {
        self.shapes.get(block) != 0
    }

    /// What the word at `offset` of a block of this size can prove.
    pub(crate) fn content(
        &self,
        block: usize,
        (start, bytes): (usize, usize),
        offset: usize,
    ) -> Content {
        let shape = self.shapes.get(block);
        if shape & VECTOR != 0 {
            vector_content(shape, bytes, offset)
        } else if shape & TABLE != 0 {
            table_content(shape, start, offset)
        } else {
            Content::Element
        }
    }
}

fn table_content(shape: u64, start: usize, offset: usize) -> Content {
    let control_at = shape as u32 as usize;
    let buckets = 1_usize << ((shape & !TABLE) >> 32);
    let size = control_at / buckets;
    // Elements with pointers have a size of whole words, and then there is no padding.
    if offset >= control_at || size * buckets != control_at || !size.is_multiple_of(8) {
        return Content::Element;
    }
    // The elements are in descending order before the control bytes.
    let bucket = (control_at - 1 - offset) / size;
    // SAFETY: each bucket has a control byte in the block.
    let control = unsafe { ((start + control_at + bucket) as *const u8).read_volatile() };
    if control < 0x80 { Content::Element } else { Content::Spare }
}

fn vector_content(shape: u64, bytes: usize, offset: usize) -> Content {
    const SECOND: u64 = 1 << 62;
    let address = (shape & !(VECTOR | SECOND)) as usize;
    // SAFETY: `note` has read these words, and nothing in the snapshot changes.
    let [capacity, len] = [address - 8, address + 8].map(|at| unsafe { word(at) });
    let size = bytes / capacity;
    let index = offset / size;
    if index < len {
        return Content::Element;
    }
    if shape & SECOND != 0 {
        // A deque has the index of its first element where a vector has its length, and then the
        // length.
        // SAFETY: `note` has found this word in the same range.
        let deque_len = unsafe { word(address + 16) };
        let from_head = if index >= len { index - len } else { index + capacity - len };
        if len < capacity && deque_len <= capacity && from_head < deque_len {
            return Content::Element;
        }
    }
    Content::Unsure
}
