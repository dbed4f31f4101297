//! The registers at which a walk begins.

/// The registers of the function in which a walk begins. That is the allocator's, so that an
/// allocation has the same stack on the fast path and on the slow path.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// An address in the function plus one, like a return address.
    pub address: usize,
    /// An address in the function's frame, or its end. Frames up to here are not part of the walk.
    pub stack_pointer: usize,
    pub frame_pointer: usize,
}

impl Registers {
    /// Returns the registers of the calling function, which must not return before the walk ends.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn current() -> Self {
        let (address, stack_pointer, frame_pointer): (usize, usize, usize);
        // SAFETY: the instructions copy registers into outputs and have no other effect.
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

    /// Returns the registers of the calling function, which must not return before the walk ends.
    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    pub fn current() -> Self {
        let (address, stack_pointer, frame_pointer): (usize, usize, usize);
        // SAFETY: the instructions copy registers into outputs. Declaring x30 as clobbered forces
        // the function to save its return address in its frame before.
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

    /// Returns the registers of the calling function that the platform's unwinder needs.
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    #[inline(always)]
    pub fn current() -> Self {
        let local = 0_u8;
        Self { address: 0, stack_pointer: &raw const local as usize, frame_pointer: 0 }
    }
}
