//! The walk by unwind tables, with the rule of every return address remembered.
//!
//! One table for the process, of one word for each return address: a tag of 34 bits and the rule in 30. It is
//! read and written without a lock; a writer that loses a race costs another look at the unwind tables,
//! never a wrong rule. All reads of the stack lie between the stack pointer and `base`, whatever the
//! rules say.

use std::arch::asm;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::rule::{Kind, Rule};
use super::{Frames, objects};

/// Sets of the table, as a power of two; each has [`WAYS`] entries, one cache line a half.
const SET_BITS: u32 = 14;
const WAYS: usize = 4;
const TAG_BITS: u32 = 64 - Rule::BITS;
const ADDRESS_BITS: u32 = SET_BITS + TAG_BITS;

/// 512 KiB that cost memory only where they are used.
#[repr(align(64))]
struct Table([AtomicU64; WAYS << SET_BITS]);

static TABLE: Table = Table([const { AtomicU64::new(0) }; WAYS << SET_BITS]);
static READY: AtomicBool = AtomicBool::new(false);
/// What [`objects::unloaded`] said when the table was last empty.
static UNLOADED: AtomicU64 = AtomicU64::new(0);

const WORD: usize = size_of::<usize>();

/// Held while the dynamic linker is asked, whose own lock the C library does not mind at a fork.
static ASKING: Mutex<()> = Mutex::new(());

/// The right to ask the dynamic linker, held over a fork.
pub(super) type Held = MutexGuard<'static, ()>;

pub(super) fn hold() -> Held {
    ASKING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Finds out whether walks are possible, and forgets the rules of code that may be gone.
pub(super) fn prepare() {
    let _asking = hold();
    if !objects::prepare() {
        return;
    }
    let unloaded = objects::unloaded();
    if UNLOADED.swap(unloaded, Ordering::AcqRel) != unloaded {
        for entry in &TABLE.0 {
            entry.store(0, Ordering::Relaxed);
        }
    }
    READY.store(true, Ordering::Release);
}

/// Walks up to the frame that `base` lies in. `false` where the walk needs another unwinder.
#[inline(never)]
pub(super) fn walk(frames: &mut Frames, base: usize) -> bool {
    if !READY.load(Ordering::Relaxed) {
        return false;
    }
    let (mut address, mut sp, mut bp): (usize, usize, usize);
    // SAFETY: reads three registers.
    unsafe {
        asm!(
            "lea {}, [rip]",
            "mov {}, rsp",
            "mov {}, rbp",
            out(reg) address, out(reg) sp, out(reg) bp,
            options(nomem, nostack, preserves_flags),
        );
    }
    // The address in this function is no return address: it lies within its own instruction.
    let mut look = address;
    loop {
        if !frames.push(address) {
            return true;
        }
        let rule = rule_of(look);
        let from = match rule.kind() {
            Kind::StackPointer => sp,
            Kind::FramePointer => bp,
            Kind::End => return true,
            Kind::Unusual => return false,
        };
        let cfa = from.wrapping_add(rule.cfa_offset());
        if cfa > base {
            // The caller's frame is above the base, and so this one is the last.
            return true;
        }
        let saved = rule.saved_offset();
        if cfa <= sp || cfa & (WORD - 1) != 0 || saved > cfa - sp {
            return true;
        }
        if saved != 0 {
            // SAFETY: `sp <= cfa - saved < cfa <= base`, all of it live stack of this thread, and
            // aligned.
            bp = unsafe { ((cfa - saved) as *const usize).read() };
        }
        // SAFETY: `sp <= cfa - WORD < base`, live stack of this thread, and aligned.
        address = unsafe { ((cfa - WORD) as *const usize).read() };
        sp = cfa;
        // A call may be the last instruction of its function.
        look = address.wrapping_sub(1);
    }
}

#[inline(always)]
fn rule_of(look: usize) -> Rule {
    // A bijection on 48-bit addresses: the upper bits pick the set, the lower ones are the tag.
    let mixed = (look as u64).wrapping_mul(0x9e37_79b9_7f4b) & ((1 << ADDRESS_BITS) - 1);
    let first = (mixed >> TAG_BITS) as usize * WAYS;
    let tag = mixed << Rule::BITS;
    let entry = TABLE.0[first].load(Ordering::Relaxed);
    if entry & !RULE_MASK == tag && entry != 0 {
        return Rule::from_bits((entry & RULE_MASK) as u32);
    }
    look_further(first, tag, look)
}

const RULE_MASK: u64 = (1 << Rule::BITS) - 1;

/// The other entries of the set, then the unwind tables.
#[cold]
#[inline(never)]
fn look_further(first: usize, tag: u64, look: usize) -> Rule {
    let set = &TABLE.0[first..first + WAYS];
    for entry in set {
        let entry = entry.load(Ordering::Relaxed);
        if entry & !RULE_MASK == tag && entry != 0 {
            return Rule::from_bits((entry & RULE_MASK) as u32);
        }
    }
    let rule = match objects::eh_frame_hdr(look) {
        Some(eh_frame_hdr) => Rule::of(look, eh_frame_hdr),
        None => Rule::from_bits(Kind::End as u32),
    };
    let free = set.iter().position(|entry| entry.load(Ordering::Relaxed) == 0);
    let place = free.unwrap_or((look >> 3) % WAYS);
    set[place].store(tag | u64::from(rule.bits()), Ordering::Relaxed);
    rule
}
