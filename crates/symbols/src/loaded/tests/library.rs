//! A library that calls back, for tests of names.
#![no_std]
#![crate_type = "cdylib"]

#[inline(always)]
fn inlined(back: extern "C" fn()) {
    back(); // Calls back.
    core::hint::black_box(back);
}

#[inline(never)]
fn inner(back: extern "C" fn()) {
    inlined(back); // Is inlined.
    core::hint::black_box(back);
}

#[unsafe(no_mangle)]
extern "C" fn outer(back: extern "C" fn()) {
    inner(back); // Calls.
    core::hint::black_box(back);
}

#[panic_handler]
fn panics(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
