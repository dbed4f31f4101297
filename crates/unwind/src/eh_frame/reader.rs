//! Reads the numbers in unwind tables.

/// The bytes that have not been read yet.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn remaining(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, bytes: usize) -> Option<Self> {
        let (taken, remaining) = self.0.split_at_checked(bytes)?;
        self.0 = remaining;
        Some(Self(taken))
    }

    pub(super) fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let (first, remaining) = self.0.split_first()?;
        self.0 = remaining;
        Some(*first)
    }

    /// Reads an unsigned little-endian number of up to eight bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        let mut number = 0;
        for byte in taken.0.iter().rev() {
            number = number << 8 | u64::from(*byte);
        }
        Some(number)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (first, remaining) = self.0.split_first_chunk()?;
        self.0 = remaining;
        Some(u32::from_le_bytes(*first))
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.u32().map(u32::cast_signed)
    }

    /// Reads a string up to a zero byte, which is not part of the result.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(length)?;
        self.skip(1)?;
        Some(text.0)
    }

    /// Reads an unsigned LEB128 number.
    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let (mut number, mut bits) = (0, 0);
        while bits < u64::BITS {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if part << bits >> bits != part {
                return None;
            }
            number |= part << bits;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            bits += 7;
        }
        None
    }

    /// Reads a signed LEB128 number.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let (mut number, mut bits) = (0, 0);
        while bits < u64::BITS {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            // The tenth byte can only contain the sign.
            if bits == 63 && !matches!(part, 0 | 0x7f) {
                return None;
            }
            number |= part << bits;
            bits += 7;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0 && bits < u64::BITS;
                let sign = if negative { u64::MAX << bits } else { 0 };
                return Some((number | sign).cast_signed());
            }
        }
        None
    }

    /// Reads a length in bytes, which is an unsigned LEB128 number.
    pub(super) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.unsigned()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsigned(bytes: &[u8]) -> Option<u64> {
        Reader::new(bytes).unsigned()
    }

    fn signed(bytes: &[u8]) -> Option<i64> {
        Reader::new(bytes).signed()
    }

    #[test]
    fn numbers_are_little_endian() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(reader.u8(), Some(1));
        assert_eq!(reader.u32(), Some(0x0504_0302));
        assert_eq!(reader.i32(), Some(-1));
        assert_eq!(reader.u8(), None);
    }

    #[test]
    fn a_number_has_a_variable_length() {
        assert_eq!(unsigned(&[0]), Some(0));
        assert_eq!(unsigned(&[0x7f]), Some(127));
        assert_eq!(unsigned(&[0x80, 0x01]), Some(128));
        // Padding does not change the number.
        assert_eq!(unsigned(&[0x81, 0x80, 0x00]), Some(1));
        let mut two = Reader::new(&[0x80, 0x01, 0x05]);
        assert_eq!((two.unsigned(), two.unsigned()), (Some(128), Some(5)));
    }

    #[test]
    fn the_highest_bit_is_the_sign() {
        assert_eq!(signed(&[0x78]), Some(-8));
        assert_eq!(signed(&[0x3f]), Some(63));
        assert_eq!(signed(&[0x80, 0x7f]), Some(-128));
        assert_eq!(signed(&[0xff, 0x00]), Some(127));
    }

    #[test]
    fn a_number_has_64_bits() {
        let ten = |first: u8, last: u8| {
            let mut bytes = [first; 10];
            bytes[9] = last;
            bytes
        };
        assert_eq!(unsigned(&ten(0xff, 0x01)), Some(u64::MAX));
        assert_eq!(unsigned(&ten(0xff, 0x02)), None);
        assert_eq!(signed(&ten(0x80, 0x7f)), Some(i64::MIN));
        assert_eq!(signed(&ten(0xff, 0x00)), Some(i64::MAX));
        assert_eq!(signed(&ten(0x80, 0x7e)), None);
        assert_eq!(unsigned(&[0x80; 30]), None);
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        assert_eq!(unsigned(&[0x80]), None);
        assert!(Reader::new(&[1, 2]).take(3).is_none());
        assert!(Reader::new(&[1, 2]).skip(3).is_none());
        assert_eq!(Reader::new(b"zR").text(), None);
        assert_eq!(Reader::new(b"zR\0").text(), Some(&b"zR"[..]));
    }
}
