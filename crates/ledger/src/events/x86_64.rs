//! The shortest ways of the ledger, for x86_64.
//!
//! In assembly because they run at every allocation and every free, and tests are built without
//! optimisation, where the same in Rust takes five times as long. What they cannot do is left to
//! the functions of the same names in [`ledger`](super), which can do all of it.

use std::arch::naked_asm;
use std::mem::offset_of;

use super::{Tag, allocated_in_rust, freed_in_rust};
use crate::accounts::record::Record;
use crate::accounts::sample;
use crate::accounts::shard::{self, Shard};
use crate::epoch::EPOCH;
use crate::thread::{CAPTURE_ALL, CAPTURE_SAMPLED, COUNT_PROCESS, Thread};
use leakcheck_unwind::walk_cache::Outcome;
use leakcheck_unwind::{self as unwind, Registers};

/// Finds the state of the thread, in rcx, and goes to 9 where the thread has not kept up.
macro_rules! thread_in_step {
    () => {
        concat!(
            "mov rcx, fs:0\n",
            "add rcx, qword ptr [rip + leakcheck_thread@GOTTPOFF]\n",
            "mov rax, [rcx + {seen_epoch}]\n",
            "mov r8, qword ptr [rip + {epoch}@GOTPCREL]\n",
            "cmp rax, [r8]\n",
            "jne 9f",
        )
    };
}

/// Calls the Rust way with the arguments as they came and, in one more register, where a walk begins: in the
/// caller. To be reached with the stack as it was at the entry.
macro_rules! leave_to_rust {
    ($argument:literal) => {
        concat!(
            "mov rax, [rsp]\n",
            "lea rcx, [rsp + 8]\n",
            "sub rsp, 24\n",
            ".cfi_adjust_cfa_offset 24\n",
            "mov [rsp + {address}], rax\n",
            "mov [rsp + {stack_pointer}], rcx\n",
            "mov [rsp + {frame_pointer}], rbp\n",
            "mov ",
            $argument,
            ", rsp\n",
            "call {in_rust}\n",
            "add rsp, 24\n",
            ".cfi_adjust_cfa_offset -24\n",
            "ret",
        )
    };
}

/// [`ledger::allocated`](super::allocated) for a thread that has kept up, and has nothing to do but
/// count and find the record of its call stack.
///
/// Statics are found by the global offset table, for a shared library may export them; in a program the linker
/// makes plain addresses of that.
///
/// The walk begins in the caller: `[rsp]` at the entry is the address there, and its stack ends
/// above.
#[unsafe(naked)]
pub(super) extern "sysv64" fn allocated(size: usize, place: usize) -> Tag {
    naked_asm!(
        ".cfi_startproc",
        thread_in_step!(),
        "xor eax, eax",
        "mov rdx, [rcx + {shard}]",
        "test rdx, rdx",
        "je 4f",
        "mov rax, [rcx + {flags}]",
        "test rax, rax",
        "jne 5f",
        "mov rax, [rdx + {siteless}]",
        // The record is in rax, the shard in rdx.
        "3:",
        "test rax, rax",
        "je 9f",
        "add [rax + {allocated}], rdi",
        "add qword ptr [rax + {allocated} + 8], 1",
        "sub [rdx + {room}], rdi",
        "js 8f",
        "4:",
        "ret",
        // The record of the call stack.
        "5:",
        "cmp rax, {capture}",
        "jne 7f",
        // Without a base, or on a stack above it.
        "cmp rsp, [rcx + {stack_base}]",
        "jae 9f",
        "cmp qword ptr [rdx + {busy}], 0",
        "jne 9f",
        "mov qword ptr [rdx + {busy}], 1",
        "mov rsi, [rcx + {stack_base}]",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rdx",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "lea rdi, [rdx + {cache}]",
        "mov rdx, [rsp + 24]",
        "lea rcx, [rsp + 32]",
        "mov r8, rbp",
        "mov r9, qword ptr [rip + {rules}@GOTPCREL]",
        "call {retrace}",
        "mov ecx, eax",
        "mov rdx, [rsp + 8]",
        "mov rax, [rdx + {latest}]",
        "cmp ecx, {same}",
        "je 6f",
        "xor eax, eax",
        "cmp ecx, {new}",
        "jne 6f",
        "mov rdi, rdx",
        "call {record_of_walk}",
        "6:",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop rdx",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "mov qword ptr [rdx + {busy}], 0",
        "jmp 3b",
        // The record of all call stacks, unless the block is to be captured.
        "7:",
        "cmp rax, {sample}",
        "jne 9f",
        "mov rax, [rdx + {siteless}]",
        "test rax, rax",
        "je 9f",
        "cmp rdi, {large}",
        "jae 9f",
        "sub [rdx + {until_sample}], rdi",
        "jns 3b",
        "jmp 9f",
        "8:",
        "push rax",
        ".cfi_adjust_cfa_offset 8",
        "mov rdi, rdx",
        "call {rise}",
        "pop rax",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        "9:",
        leave_to_rust!("rdx"),
        ".cfi_endproc",
        seen_epoch = const offset_of!(Thread, seen_epoch),
        epoch = sym EPOCH,
        shard = const offset_of!(Thread, shard),
        flags = const offset_of!(Thread, flags),
        stack_base = const offset_of!(Thread, stack_base),
        siteless = const Shard::SITELESS_AT,
        latest = const Shard::LATEST_AT,
        busy = const Shard::BUSY_AT,
        cache = const Shard::WALK_CACHE_AT,
        room = const Shard::ROOM_AT,
        allocated = const Record::ALLOCATED_AT,
        capture = const CAPTURE_ALL,
        sample = const CAPTURE_SAMPLED,
        large = const sample::LARGE,
        until_sample = const Shard::UNTIL_SAMPLE_AT,
        rules = sym unwind::RULES,
        retrace = sym unwind::x86_64::retrace,
        same = const Outcome::Same as usize,
        new = const Outcome::New as usize,
        record_of_walk = sym shard::record_of_walk,
        rise = sym shard::rise,
        address = const offset_of!(Registers, address),
        stack_pointer = const offset_of!(Registers, stack_pointer),
        frame_pointer = const offset_of!(Registers, frame_pointer),
        in_rust = sym allocated_by_rust,
    )
}

extern "sysv64" fn allocated_by_rust(size: usize, place: usize, from: &Registers) -> Tag {
    allocated_in_rust(size, place, from)
}

/// [`ledger::freed`](super::freed) for a thread that has kept up, and has nothing to do but count.
#[unsafe(naked)]
pub(super) extern "sysv64" fn freed(tag: Tag, size: usize, place: usize) {
    naked_asm!(
        ".cfi_startproc",
        thread_in_step!(),
        "mov r8, [rcx + {shard}]",
        "cmp rdi, {constants}",
        "jbe 3f",
        "test r8, r8",
        "je 9f",
        "test qword ptr [rcx + {flags}], {tally}",
        "jne 9f",
        "cmp [rdi + {owned_by}], r8",
        "jne 5f",
        "add [rdi + {freed}], rsi",
        "add qword ptr [rdi + {freed} + 8], 1",
        "1:",
        "add [r8 + {room}], rsi",
        "cmp qword ptr [r8 + {room}], {tell_at}",
        "jg 4f",
        "2:",
        "ret",
        // Nobody's block and a thread that works for nobody.
        "3:",
        "test r8, r8",
        "je 2b",
        "jmp 9f",
        "4:",
        "mov rdi, r8",
        "jmp {tell}",
        // Another thread's block, of the same region. The count of blocks comes last, as in
        // `Record::count_freed_elsewhere`.
        "5:",
        "mov eax, [rdi + {owner}]",
        "cmp eax, [r8 + {region}]",
        "jne 9f",
        "lock add [rdi + {freed_elsewhere}], rsi",
        "lock add qword ptr [rdi + {freed_elsewhere} + 8], 1",
        "jmp 1b",
        "9:",
        leave_to_rust!("rcx"),
        ".cfi_endproc",
        seen_epoch = const offset_of!(Thread, seen_epoch),
        epoch = sym EPOCH,
        shard = const offset_of!(Thread, shard),
        flags = const offset_of!(Thread, flags),
        tally = const COUNT_PROCESS,
        constants = const Tag::LAST_CONSTANT,
        owned_by = const Record::SHARD_AT,
        freed = const Record::FREED_AT,
        freed_elsewhere = const Record::FREED_ELSEWHERE_AT,
        owner = const Record::OWNER_AT,
        region = const Shard::REGION_AT,
        room = const Shard::ROOM_AT,
        tell_at = const shard::TELL_AT_ROOM,
        tell = sym shard::tell,
        address = const offset_of!(Registers, address),
        stack_pointer = const offset_of!(Registers, stack_pointer),
        frame_pointer = const offset_of!(Registers, frame_pointer),
        in_rust = sym freed_by_rust,
    )
}

extern "sysv64" fn freed_by_rust(tag: Tag, size: usize, place: usize, from: &Registers) {
    freed_in_rust(tag, size, place, from);
}
