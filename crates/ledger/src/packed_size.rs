//! The size of a block as its header stores it.

/// The requested size of a block in 32 bits: in bytes, or rounded up to pages for a large block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct PackedSize(u32);

impl PackedSize {
    /// Sizes from here on are in pages, which the highest bit indicates.
    pub(crate) const LARGE: usize = 1 << 31;
    const PAGE_BITS: u32 = 12;

    #[inline(always)]
    pub(crate) fn of(size: usize) -> Self {
        if size < Self::LARGE {
            return Self(size as u32);
        }
        let pages = ((size - 1) >> Self::PAGE_BITS) + 1;
        Self((if pages < Self::LARGE { pages } else { Self::LARGE - 1 } | Self::LARGE) as u32)
    }

    /// Returns the number of bytes.
    #[inline(always)]
    pub fn bytes(self) -> usize {
        let number = self.0 as usize;
        if number < Self::LARGE { number } else { (number & !Self::LARGE) << Self::PAGE_BITS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_below_two_gibibytes_and_rounded_up_above() {
        for size in [0, 1, 4097, (1 << 31) - 1] {
            assert_eq!(PackedSize::of(size).bytes(), size);
        }
        assert_eq!(PackedSize::of(1 << 31).bytes(), 1 << 31);
        assert_eq!(PackedSize::of((6 << 30) + 1).bytes(), (6 << 30) + 4096);
    }
}
