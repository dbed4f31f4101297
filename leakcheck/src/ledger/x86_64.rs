//! The shortest ways of the ledger, for x86_64.
//!
//! In assembly because they run at every allocation and every free, and tests are built without
//! optimisation, where the same in Rust takes five times as long. What they cannot do is left to
//! the functions of the same names in [`ledger`](super), which can do all of it.

use std::arch::naked_asm;
use std::mem::offset_of;

use super::record::Record;
use super::shard::{self, Shard};
use super::{EPOCH, Tag};
use crate::thread::Thread;

/// [`ledger::allocated`](super::allocated) for a thread that has kept up, and has nothing to do but
/// count.
#[unsafe(naked)]
pub(super) extern "sysv64" fn allocated(size: usize) -> Tag {
    naked_asm!(
        "mov rcx, fs:0",
        "add rcx, qword ptr [rip + leakcheck_thread@GOTTPOFF]",
        "mov rax, [rcx + {pace}]",
        "cmp rax, [rip + {epoch}]",
        "jne {in_rust}",
        "xor eax, eax",
        "mov rdx, [rcx + {shard}]",
        "test rdx, rdx",
        "je 2f",
        "cmp qword ptr [rcx + {duties}], rax",
        "jne {in_rust}",
        "mov rax, [rdx + {siteless}]",
        "test rax, rax",
        "je {in_rust}",
        "add [rax + {allocated}], rdi",
        "add qword ptr [rax + {allocated} + 8], 1",
        "sub [rdx + {room}], rdi",
        "js 3f",
        "2:",
        "ret",
        "3:",
        "push rax",
        "mov rdi, rdx",
        "call {rise}",
        "pop rax",
        "ret",
        pace = const offset_of!(Thread, pace),
        epoch = sym EPOCH,
        shard = const offset_of!(Thread, shard),
        duties = const offset_of!(Thread, duties),
        siteless = const Shard::SITELESS_AT,
        allocated = const Record::ALLOCATED_AT,
        room = const Shard::ROOM_AT,
        rise = sym shard::rise,
        in_rust = sym in_rust::allocated,
    )
}

/// [`ledger::freed`](super::freed) for a thread that has kept up, and has nothing to do but count.
#[unsafe(naked)]
pub(super) extern "sysv64" fn freed(tag: Tag, size: usize) {
    naked_asm!(
        "mov rcx, fs:0",
        "add rcx, qword ptr [rip + leakcheck_thread@GOTTPOFF]",
        "mov rax, [rcx + {pace}]",
        "cmp rax, [rip + {epoch}]",
        "jne {in_rust}",
        "mov rdx, [rcx + {shard}]",
        "cmp rdi, {constants}",
        "jbe 3f",
        "test rdx, rdx",
        "je {in_rust}",
        "cmp [rdi + {owned_by}], rdx",
        "jne {in_rust}",
        "test qword ptr [rcx + {duties}], {tally}",
        "jne {in_rust}",
        "add [rdi + {freed}], rsi",
        "add qword ptr [rdi + {freed} + 8], 1",
        "add [rdx + {room}], rsi",
        "cmp qword ptr [rdx + {room}], {tell_at}",
        "jg 4f",
        "2:",
        "ret",
        "3:",
        "test rdx, rdx",
        "je 2b",
        "jmp {in_rust}",
        "4:",
        "mov rdi, rdx",
        "jmp {tell}",
        pace = const offset_of!(Thread, pace),
        epoch = sym EPOCH,
        shard = const offset_of!(Thread, shard),
        duties = const offset_of!(Thread, duties),
        tally = const crate::thread::TALLY,
        constants = const Tag::LAST_CONSTANT,
        owned_by = const Record::SHARD_AT,
        freed = const Record::FREED_AT,
        room = const Shard::ROOM_AT,
        tell_at = const shard::TELL_AT_ROOM,
        tell = sym shard::tell,
        in_rust = sym in_rust::freed,
    )
}

mod in_rust {
    use super::Tag;

    pub(super) extern "sysv64" fn allocated(size: usize) -> Tag {
        super::super::allocated_in_rust(size)
    }

    pub(super) extern "sysv64" fn freed(tag: Tag, size: usize) {
        super::super::freed_in_rust(tag, size);
    }
}
