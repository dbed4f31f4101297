//! Counters and references that one thread writes and every thread may read.
//!
//! They are on the allocator's fast path. Most tests are unoptimized builds, in which the cost of a
//! dependency is dominated by calls, and each method of the standard library's atomics is three of
//! them. Here a method is one or two instructions, and none of them locks the bus.

use std::ptr::{from_ref, null, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A counter with a single writer. Other threads read a recent value.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct LocalCounter(AtomicU64);

/// Counters of bytes and blocks with a single writer.
#[derive(Debug, Default)]
#[repr(C)]
pub struct LocalTotals {
    pub bytes: LocalCounter,
    pub blocks: LocalCounter,
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
impl LocalCounter {
    #[inline(always)]
    pub fn get(&self) -> u64 {
        let value: u64;
        // SAFETY: an aligned move of eight bytes from a valid address is a relaxed atomic load.
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
        // SAFETY: an aligned move of eight bytes is a relaxed atomic store, and an atomic may be
        // written through a shared reference.
        unsafe {
            std::arch::asm!(
                "mov [{}], {}", in(reg) self, in(reg) value,
                options(nostack, preserves_flags),
            );
        }
    }

    /// Adds with wrapping. Only the writing thread may call this.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        // SAFETY: the instruction is a relaxed atomic load and a relaxed atomic store of a valid
        // address, both permitted through a shared reference. Without a second writer, no update
        // is lost between them.
        unsafe {
            std::arch::asm!("add [{}], {}", in(reg) self, in(reg) value, options(nostack));
        }
    }

    /// Adds to the counter and returns whether it, as a signed number, exceeds `LIMIT` afterwards.
    #[inline(always)]
    pub fn add_exceeds<const LIMIT: i32>(&self, value: u64) -> bool {
        let exceeds: u8;
        // SAFETY: both instructions access the aligned word behind `self`, the first by a relaxed
        // load and store and the second by a relaxed load, which a shared reference permits.
        unsafe {
            std::arch::asm!(
                "add [{counter}], {value}",
                "cmp qword ptr [{counter}], {limit}",
                "setg {exceeds}",
                counter = in(reg) self, value = in(reg) value, limit = const LIMIT,
                exceeds = out(reg_byte) exceeds,
                options(nostack),
            );
        }
        exceeds != 0
    }

    /// Subtracts from the counter and returns whether it, as a signed number, is negative
    /// afterwards.
    #[inline(always)]
    pub fn sub_is_negative(&self, value: u64) -> bool {
        let negative: u8;
        // SAFETY: the instruction is a relaxed atomic load and store of the aligned word behind
        // `self`, which a shared reference permits.
        unsafe {
            std::arch::asm!(
                "sub [{counter}], {value}",
                "sets {negative}",
                counter = in(reg) self, value = in(reg) value, negative = out(reg_byte) negative,
                options(nostack),
            );
        }
        negative != 0
    }

    /// Returns whether two counters have the same value.
    #[inline(always)]
    pub fn equals(&self, other: &Self) -> bool {
        let equal: u8;
        // SAFETY: both instructions read an aligned word behind a reference, each by a relaxed
        // load.
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
impl LocalTotals {
    /// Adds one block of `bytes` bytes. Only the writing thread may call this.
    #[inline(always)]
    pub fn count(&self, bytes: u64) {
        // SAFETY: the struct is `repr(C)` and consists of two aligned words. Each instruction is a
        // relaxed atomic load and store of one of them, which a shared reference permits.
        unsafe {
            std::arch::asm!(
                "add [{counter}], {bytes}",
                "add qword ptr [{counter} + 8], 1",
                counter = in(reg) self, bytes = in(reg) bytes,
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

    /// Adds with wrapping. Only the writing thread may call this.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        self.set(self.get().wrapping_add(value));
    }

    /// Adds to the counter and returns whether it, as a signed number, exceeds `LIMIT` afterwards.
    pub fn add_exceeds<const LIMIT: i32>(&self, value: u64) -> bool {
        self.add(value);
        self.get() as i64 > i64::from(LIMIT)
    }

    /// Subtracts from the counter and returns whether it, as a signed number, is negative
    /// afterwards.
    pub fn sub_is_negative(&self, value: u64) -> bool {
        self.add(value.wrapping_neg());
        (self.get() as i64) < 0
    }

    /// Returns whether two counters have the same value.
    pub fn equals(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
impl LocalTotals {
    /// Adds one block of `bytes` bytes. Only the writing thread may call this.
    pub fn count(&self, bytes: u64) {
        self.bytes.add(bytes);
        self.blocks.add(1);
    }
}

impl LocalCounter {
    pub const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Returns the counter as an atomic, for several writers or stronger orderings.
    pub fn as_atomic(&self) -> &AtomicU64 {
        &self.0
    }
}

/// An optional reference with a single writer. All zeros is `None`.
#[repr(transparent)]
pub struct LocalRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> LocalRef<T> {
    pub const fn none() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    #[inline(always)]
    pub fn get(&self) -> Option<&'static T> {
        let value = self.load();
        // `is_null` would be a call in an unoptimized build.
        if value as usize == 0 {
            None
        } else {
            // SAFETY: a value other than null was a `&'static T` in `set`, and `T` is `Sync`.
            Some(unsafe { &*value })
        }
    }

    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[inline(always)]
    fn load(&self) -> *const T {
        let value: *const T;
        // SAFETY: an aligned move of eight bytes from a valid address is a relaxed atomic load.
        unsafe {
            std::arch::asm!(
                "mov {}, [{}]", out(reg) value, in(reg) self,
                options(nostack, preserves_flags, readonly),
            );
        }
        value
    }

    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    #[inline(always)]
    fn load(&self) -> *const T {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, value: Option<&'static T>) {
        let pointer = value.map_or(null(), from_ref);
        self.0.store(pointer.cast_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_detected() {
        let counter = LocalCounter::new(5);
        assert!(!counter.add_exceeds::<10>(5));
        assert!(counter.add_exceeds::<10>(1));
        assert!(!counter.add_exceeds::<10>(20_u64.wrapping_neg()));
        assert_eq!(counter.get() as i64, -9);
        let counter = LocalCounter::new(5);
        assert!(!counter.sub_is_negative(5));
        assert!(counter.sub_is_negative(1));
        assert!(
            !counter.equals(&LocalCounter::new(0)) && counter.equals(&LocalCounter::new(u64::MAX))
        );
    }

    #[test]
    fn bytes_and_blocks_are_counted() {
        let totals = LocalTotals::default();
        totals.count(100);
        totals.count(10);
        assert_eq!((totals.bytes.get(), totals.blocks.get()), (110, 2));
    }

    #[test]
    fn addition_wraps() {
        let counter = LocalCounter::new(5);
        counter.add(7);
        assert_eq!(counter.get(), 12);
        counter.add(13_u64.wrapping_neg());
        assert_eq!(counter.get() as i64, -1);
        counter.set(3);
        assert_eq!(counter.as_atomic().load(Ordering::Relaxed), 3);
    }
}
