//! Where a walk begins.

/// The registers that a walk needs, as they are in the function that asks.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    /// One more than an address in the function, as if it were a return address.
    pub(super) address: usize,
    pub(super) stack_pointer: usize,
    pub(super) frame_pointer: usize,
}

impl Registers {
    /// The calling function's. It has to stay active while they are walked from.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn here() -> Self {
        let (address, stack_pointer, frame_pointer): (usize, usize, usize);
        // SAFETY: reads three registers.
        unsafe {
            std::arch::asm!(
                "lea {}, [rip]",
                "mov {}, rsp",
                "mov {}, rbp",
                out(reg) address, out(reg) stack_pointer, out(reg) frame_pointer,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self { address: address + 1, stack_pointer, frame_pointer }
    }
}
