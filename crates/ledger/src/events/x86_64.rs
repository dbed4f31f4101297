//! The fast paths of allocations and frees, for x86_64.
//!
//! They are written in assembly because every allocation and every free runs them, and most tests
//! are unoptimized builds, in which the same code in Rust takes five times as long. Whatever they
//! do not handle is left to [`allocated_in_rust`] and [`freed_in_rust`], which handle every event.

use std::arch::naked_asm;
use std::mem::offset_of;

use leakcheck_unwind::walk_cache::RetraceResult;
use leakcheck_unwind::{self as unwind, Registers};

use super::{Tag, allocated_in_rust, freed_in_rust};
use crate::accounts::record::Record;
use crate::accounts::sample;
use crate::accounts::shard::{self, Shard};
use crate::epoch::EPOCH;
use crate::header::{self, Header};
use crate::packed_size::PackedSize;
use crate::shadow;
use crate::thread::{CAPTURE_ALL, CAPTURE_SAMPLED, COUNT_PROCESS, Thread};

/// Loads the address of the thread's state into rcx. Jumps to label 9 if the thread has not seen
/// the current epoch.
macro_rules! load_thread {
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

/// Loads the entry of the shadow map's directory for the header at `$header` into rcx and jumps to
/// `$none` if there is none. Changes r8.
macro_rules! load_shadow {
    ($header:literal, $none:literal) => {
        concat!(
            "mov rcx, ",
            $header,
            "\n",
            "shr rcx, {granule_bits}\n",
            "cmp rcx, {granules}\n",
            "jae ",
            $none,
            "\n",
            "mov r8, qword ptr [rip + {directory}@GOTPCREL]\n",
            "mov rcx, [r8 + 8 * rcx]\n",
            "cmp rcx, {unmappable}\n",
            "jbe ",
            $none,
            "\n",
            "mov r8, ",
            $header,
            "\n",
            "shr r8, {unit_bits}",
        )
    };
}

/// Clears 16 bytes of a block at the offset `$at`, or its last 16 if that is further. The address of
/// the header is in rsi, the offset of the last 16 bytes in r8, and zero in xmm0.
macro_rules! clear_next {
    ($at:literal) => {
        concat!(
            "mov ecx, ",
            $at,
            "\n",
            "cmp r8, rcx\n",
            "cmovb rcx, r8\n",
            "movups [rsi + rcx + {header_size}], xmm0",
        )
    };
}

/// Calls the Rust function with the original arguments and, as one more argument, the registers of
/// the caller, at which a walk begins. The stack pointer must be as at the entry.
macro_rules! call_rust {
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

/// [`events::allocated`](super::allocated) for a thread that has seen the current epoch and only
/// has to find the record of its call stack and count.
///
/// Statics are addressed through the global offset table, because a shared library may export them.
/// In an executable the linker replaces that by plain addresses.
///
/// The walk begins in the caller. At the entry, `[rsp]` is the return address into it, and its
/// frame ends above that.
#[unsafe(naked)]
pub(super) extern "sysv64" fn allocated(size: usize, header_addr: usize) {
    naked_asm!(
        ".cfi_startproc",
        // The size of a large block is rounded, which is left to Rust.
        "test rdi, -{large_size}",
        "jne 9f",
        load_thread!(),
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
        "sub [rdx + {headroom}], rdi",
        "js 8f",
        // The tag is in rax. Clear the first 64 bytes of the block, or all of a smaller one, with
        // stores that may overlap, so that no branch depends on the size.
        "4:",
        "mov r8, rdi",
        "sub r8, 16",
        "jb 23f",
        "xorps xmm0, xmm0",
        "movups [rsi + {header_size}], xmm0",
        clear_next!(16),
        clear_next!(32),
        clear_next!(48),
        // The mark of the shadow map follows the complete header.
        "23:",
        "mov [rsi + {size_at}], edi",
        "mov [rsi + {tag_at}], rax",
        load_shadow!("rsi", "22f"),
        "mov eax, esi",
        "and eax, 8",
        "or eax, 1",
        "mov [rcx + r8], al",
        "ret",
        "22:",
        "mov rdi, rsi",
        "jmp {mark_first}",
        // Find the record of the call stack.
        "5:",
        "cmp rax, {capture_all}",
        "jne 7f",
        // Leave a thread without a stack base, or on a stack above it, to Rust.
        "cmp rsp, [rcx + {stack_base}]",
        "jae 9f",
        "cmp qword ptr [rdx + {busy}], 0",
        "jne 9f",
        "mov qword ptr [rdx + {busy}], 1",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rdx",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "mov rsi, [rcx + {stack_base}]",
        "lea rdi, [rdx + {cache}]",
        "mov rdx, [rsp + 24]",
        "lea rcx, [rsp + 32]",
        "mov r8, rbp",
        "mov r9, qword ptr [rip + {rules}@GOTPCREL]",
        "call {retrace}",
        "mov ecx, eax",
        "mov rdx, [rsp + 8]",
        "mov rax, [rdx + {latest}]",
        "cmp ecx, {unchanged}",
        "je 6f",
        "xor eax, eax",
        "cmp ecx, {changed}",
        "jne 6f",
        "mov rdi, rdx",
        "call {record_of_walk}",
        "6:",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdx",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "mov qword ptr [rdx + {busy}], 0",
        "jmp 3b",
        // Use the record of blocks without a call site, unless the block is captured.
        "7:",
        "cmp rax, {capture_sampled}",
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
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "mov rdi, rdx",
        "call {raise_high_water}",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rax",
        ".cfi_adjust_cfa_offset -8",
        "jmp 4b",
        "9:",
        call_rust!("rdx"),
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
        headroom = const Shard::HEADROOM_AT,
        allocated = const Record::ALLOCATED_AT,
        capture_all = const CAPTURE_ALL,
        capture_sampled = const CAPTURE_SAMPLED,
        large = const sample::LARGE,
        until_sample = const Shard::UNTIL_SAMPLE_AT,
        rules = sym unwind::RULES,
        retrace = sym unwind::x86_64::retrace,
        unchanged = const RetraceResult::Unchanged as usize,
        changed = const RetraceResult::Changed as usize,
        record_of_walk = sym shard::record_of_walk,
        raise_high_water = sym shard::raise_high_water,
        header_size = const header::SIZE,
        large_size = const PackedSize::LARGE,
        size_at = const offset_of!(Header, size),
        tag_at = const offset_of!(Header, tag),
        granule_bits = const shadow::GRANULE_BITS,
        granules = const shadow::GRANULES,
        directory = sym shadow::DIRECTORY,
        unmappable = const shadow::UNMAPPABLE,
        unit_bits = const shadow::UNIT_BITS,
        mark_first = sym shadow::mark_first,
        address = const offset_of!(Registers, address),
        stack_pointer = const offset_of!(Registers, stack_pointer),
        frame_pointer = const offset_of!(Registers, frame_pointer),
        in_rust = sym allocated_by_rust,
    )
}

extern "sysv64" fn allocated_by_rust(size: usize, header_addr: usize, from: &Registers) {
    allocated_in_rust(size, header_addr, from);
}

/// [`events::freed`](super::freed) for a thread that has seen the current epoch and only has to
/// count.
#[unsafe(naked)]
pub(super) extern "sysv64" fn freed(tag: Tag, size: usize, header_addr: usize) {
    naked_asm!(
        ".cfi_startproc",
        load_shadow!("rdx", "6f"),
        "mov byte ptr [rcx + r8], 0",
        "6:",
        load_thread!(),
        "mov r8, [rcx + {shard}]",
        "cmp rdi, {last_constant}",
        "jbe 3f",
        "test r8, r8",
        "je 9f",
        "test qword ptr [rcx + {flags}], {count_process}",
        "jne 9f",
        "cmp [rdi + {record_shard}], r8",
        "jne 5f",
        "add [rdi + {freed}], rsi",
        "add qword ptr [rdi + {freed} + 8], 1",
        "1:",
        "add [r8 + {headroom}], rsi",
        "cmp qword ptr [r8 + {headroom}], {flush_headroom}",
        "jg 4f",
        "2:",
        "ret",
        // An unowned block, freed by a thread in no region, is not counted.
        "3:",
        "test r8, r8",
        "je 2b",
        "jmp 9f",
        "4:",
        "mov rdi, r8",
        "jmp {flush}",
        // The block belongs to another thread in the same region. The number of blocks is updated
        // last, as in `Record::count_freed_elsewhere`.
        "5:",
        "mov eax, [rdi + {owner}]",
        "cmp eax, [r8 + {region}]",
        "jne 9f",
        "lock add [rdi + {freed_elsewhere}], rsi",
        "lock add qword ptr [rdi + {freed_elsewhere} + 8], 1",
        "jmp 1b",
        "9:",
        call_rust!("rcx"),
        ".cfi_endproc",
        seen_epoch = const offset_of!(Thread, seen_epoch),
        epoch = sym EPOCH,
        shard = const offset_of!(Thread, shard),
        flags = const offset_of!(Thread, flags),
        count_process = const COUNT_PROCESS,
        last_constant = const Tag::LAST_CONSTANT,
        record_shard = const Record::SHARD_AT,
        freed = const Record::FREED_AT,
        freed_elsewhere = const Record::FREED_ELSEWHERE_AT,
        owner = const Record::OWNER_AT,
        region = const Shard::REGION_AT,
        headroom = const Shard::HEADROOM_AT,
        flush_headroom = const shard::FLUSH_HEADROOM,
        flush = sym shard::flush,
        granule_bits = const shadow::GRANULE_BITS,
        granules = const shadow::GRANULES,
        directory = sym shadow::DIRECTORY,
        unmappable = const shadow::UNMAPPABLE,
        unit_bits = const shadow::UNIT_BITS,
        address = const offset_of!(Registers, address),
        stack_pointer = const offset_of!(Registers, stack_pointer),
        frame_pointer = const offset_of!(Registers, frame_pointer),
        in_rust = sym freed_by_rust,
    )
}

extern "sysv64" fn freed_by_rust(tag: Tag, size: usize, header_addr: usize, from: &Registers) {
    freed_in_rust(tag, size, header_addr, from);
}
