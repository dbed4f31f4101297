//! Where a walk begins.

/// What a walk needs to know of the function that it begins in, which is the allocator's, so that
/// the same allocation always has the same stack, whatever way it takes through this crate.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// One more than an address in the function, as if it were a return address.
    pub address: usize,
    /// An address in the function's frame, or its end. Frames up to here are not the user's.
    pub stack_pointer: usize,
    pub frame_pointer: usize,
}

impl Registers {
    /// The calling function's. It has to stay active while they are walked from.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn current() -> Self {
        let (address, stack_pointer, frame_pointer): (usize, usize, usize);
        // SAFETY: reads three registers.
        unsafe {
            std::arch::asm!(
                "lea {}, [rip + 1]",
                "mov {}, rsp",
                "mov {}, rbp",
                out(reg) address, out(reg) stack_pointer, out(reg) frame_pointer,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self { address, stack_pointer, frame_pointer }
    }

    /// The calling function's. It has to stay active while they are walked from.
    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    pub fn current() -> Self {
        let (address, stack_pointer, frame_pointer): (usize, usize, usize);
        // SAFETY: reads three registers. The fourth is said to be overwritten, so that the function
        // has put its return address into its frame before it gets here.
        unsafe {
            std::arch::asm!(
                "adr {}, . + 1",
                "mov {}, sp",
                "mov {}, x29",
                out(reg) address, out(reg) stack_pointer, out(reg) frame_pointer, out("x30") _,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self { address, stack_pointer, frame_pointer }
    }

    /// The calling function's, as far as the platform's unwinder needs them.
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    #[inline(always)]
    pub fn current() -> Self {
        let here = 0_u8;
        Self { address: 0, stack_pointer: &raw const here as usize, frame_pointer: 0 }
    }
}
