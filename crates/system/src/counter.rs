//! A word that one thread writes and every thread may read.
//!
//! The counters on the allocator's path. What a dependency costs in its users' tests is mostly
//! calls: those builds are not optimised, and each method of the standard library's atomics is
//! three of them. Here a method is one instruction, and none of them locks the bus.

use std::ptr::{from_ref, null, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A counter with a single writer. Reads may come from anywhere and see some recent value.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct LocalCounter(AtomicU64);

/// Bytes and blocks with a single writer.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Tally {
    pub bytes: LocalCounter,
    pub blocks: LocalCounter,
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
impl LocalCounter {
    #[inline(always)]
    pub fn get(&self) -> u64 {
        let value: u64;
        // SAFETY: an aligned move of eight bytes is atomic, a relaxed load in the terms of the
        // language.
        unsafe {
            std::arch::asm!(
                "mov {}, [{}]", out(reg) value, in(reg) self,
                options(nostack, preserves_flags, readonly),
            );
        }
        value
    }

    #[inline(always)]
    pub fn set(&self, value: u64) {
        // SAFETY: an aligned move of eight bytes is atomic, a relaxed store in the terms of the
        // language, and the field behind `self` is an atomic that may be written through a
        // shared reference.
        unsafe {
            std::arch::asm!(
                "mov [{}], {}", in(reg) self, in(reg) value,
                options(nostack, preserves_flags),
            );
        }
    }

    /// Adds, wrapping. For the one thread that writes.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        // SAFETY: a relaxed load and a relaxed store, each atomic; nobody else writes in between.
        unsafe {
            std::arch::asm!("add [{}], {}", in(reg) self, in(reg) value, options(nostack));
        }
    }

    /// Adds to a word that is a signed number; whether it is more than `limit` then.
    #[inline(always)]
    pub fn add_exceeds<const LIMIT: i32>(&self, value: u64) -> bool {
        let exceeds: u8;
        // SAFETY: as for `add`.
        unsafe {
            std::arch::asm!(
                "add [{place}], {value}",
                "cmp qword ptr [{place}], {limit}",
                "setg {exceeds}",
                place = in(reg) self, value = in(reg) value, limit = const LIMIT,
                exceeds = out(reg_byte) exceeds,
                options(nostack),
            );
        }
        exceeds != 0
    }

    /// Subtracts from a word that is a signed number; whether it is negative then.
    #[inline(always)]
    pub fn take_overdraws(&self, value: u64) -> bool {
        let negative: u8;
        // SAFETY: as for `add`.
        unsafe {
            std::arch::asm!(
                "sub [{place}], {value}",
                "sets {negative}",
                place = in(reg) self, value = in(reg) value, negative = out(reg_byte) negative,
                options(nostack),
            );
        }
        negative != 0
    }

    /// Whether two words are the same.
    #[inline(always)]
    pub fn equals(&self, other: &Self) -> bool {
        let equal: u8;
        // SAFETY: two aligned moves of eight bytes, relaxed loads in the terms of the language.
        unsafe {
            std::arch::asm!(
                "mov {value}, [{one}]",
                "cmp {value}, [{other}]",
                "sete {equal}",
                one = in(reg) self, other = in(reg) other,
                value = out(reg) _, equal = out(reg_byte) equal,
                options(nostack, readonly),
            );
        }
        equal != 0
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
impl Tally {
    /// Counts one more. For the one thread that writes.
    #[inline(always)]
    pub fn count(&self, bytes: u64) {
        // SAFETY: two times what `LocalCounter::add` does, on the two words that a tally consists of.
        unsafe {
            std::arch::asm!(
                "add [{place}], {bytes}",
                "add qword ptr [{place} + 8], 1",
                place = in(reg) self, bytes = in(reg) bytes,
                options(nostack),
            );
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
impl LocalCounter {
    #[inline(always)]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds, wrapping. For the one thread that writes.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        self.set(self.get().wrapping_add(value));
    }

    /// Adds to a word that is a signed number; whether it is more than `LIMIT` then.
    pub fn add_exceeds<const LIMIT: i32>(&self, value: u64) -> bool {
        self.add(value);
        self.get() as i64 > i64::from(LIMIT)
    }

    /// Subtracts from a word that is a signed number; whether it is negative then.
    pub fn take_overdraws(&self, value: u64) -> bool {
        self.add(value.wrapping_neg());
        (self.get() as i64) < 0
    }

    /// Whether two words are the same.
    pub fn equals(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
impl Tally {
    /// Counts one more. For the one thread that writes.
    pub fn count(&self, bytes: u64) {
        self.bytes.add(bytes);
        self.blocks.add(1);
    }
}

impl LocalCounter {
    pub const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// The word for writers that share it and for what has to be ordered.
    pub fn atomic(&self) -> &AtomicU64 {
        &self.0
    }
}

/// A reference, or none, that one thread writes; faster than an `AtomicPtr`. All zeros is none.
#[repr(transparent)]
pub struct Slot<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Slot<T> {
    pub const fn empty() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    #[inline(always)]
    pub fn get(&self) -> Option<&'static T> {
        let place = self.place();
        // Not `is_null`, which is a call in a build without optimisation.
        if place as usize == 0 {
            None
        } else {
            // SAFETY: `set` was given a reference that is good for ever, and `T` is `Sync`.
            Some(unsafe { &*place })
        }
    }

    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[inline(always)]
    fn place(&self) -> *const T {
        let place: *const T;
        // SAFETY: as for `LocalCounter::get`.
        unsafe {
            std::arch::asm!(
                "mov {}, [{}]", out(reg) place, in(reg) self,
                options(nostack, preserves_flags, readonly),
            );
        }
        place
    }

    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    #[inline(always)]
    fn place(&self) -> *const T {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, value: Option<&'static T>) {
        let place = value.map_or(null(), from_ref);
        self.0.store(place.cast_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_notices_limits() {
        let word = LocalCounter::new(5);
        assert!(!word.add_exceeds::<10>(5));
        assert!(word.add_exceeds::<10>(1));
        assert!(!word.add_exceeds::<10>(20_u64.wrapping_neg()));
        assert_eq!(word.get() as i64, -9);
        let word = LocalCounter::new(5);
        assert!(!word.take_overdraws(5));
        assert!(word.take_overdraws(1));
        assert!(!word.equals(&LocalCounter::new(0)) && word.equals(&LocalCounter::new(u64::MAX)));
    }

    #[test]
    fn a_tally_counts() {
        let tally = Tally::default();
        tally.count(100);
        tally.count(10);
        assert_eq!((tally.bytes.get(), tally.blocks.get()), (110, 2));
    }

    #[test]
    fn it_adds_and_wraps() {
        let word = LocalCounter::new(5);
        word.add(7);
        assert_eq!(word.get(), 12);
        word.add(13_u64.wrapping_neg());
        assert_eq!(word.get() as i64, -1);
        word.set(3);
        assert_eq!(word.atomic().load(Ordering::Relaxed), 3);
    }
}
