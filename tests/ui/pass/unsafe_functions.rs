//! An `unsafe fn` stays unsafe, and so does its body.

#![deny(warnings, unsafe_op_in_unsafe_fn)]
#![forbid(unused_unsafe)]

use leakcheck::leak_check;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

#[leak_check]
unsafe fn read(pointer: *const u8) -> u8 {
    unsafe { *pointer }
}

#[leak_check]
unsafe extern "C" fn read_for_c(pointer: *const u8) -> u8 {
    unsafe { read(pointer) }
}

#[leak_check]
async unsafe fn read_later(pointer: *const u8) -> Result<u8, String> {
    std::future::ready(()).await;
    Ok(unsafe { read(pointer) })
}

#[leak_check]
unsafe fn harmless() {}

#[leak_check]
#[expect(unsafe_op_in_unsafe_fn)]
unsafe fn without_a_block(pointer: *const u8) -> u8 {
    *pointer
}

fn main() {
    let _type: unsafe fn(*const u8) -> u8 = read;
    unsafe {
        assert_eq!(read(&1), 1);
        assert_eq!(read_for_c(&2), 2);
        let future = pin!(read_later(&3));
        assert_eq!(future.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(3)));
        harmless();
        assert_eq!(without_a_block(&4), 4);
    }
}
