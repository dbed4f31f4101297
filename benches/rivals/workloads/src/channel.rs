//! Blocks that one thread allocates and another thread frees.

use std::hint::black_box;
use std::sync::mpsc::sync_channel;

use crate::Watch;
use crate::churn::block;

pub(crate) fn hand_over(messages: u64, watch: Watch) -> u64 {
    let (send, receive) = sync_channel::<Box<[u8]>>(256);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            watch(&mut || {
                black_box(receive.iter().map(|message| message.len()).sum::<usize>());
            });
        });
        for n in 0..messages {
            send.send(block(n as u8, 16 + n as usize % 241)).expect("the consumer is running");
        }
        drop(send);
    });
    messages
}
