//! The workloads, W1 to W6.

use std::collections::HashMap;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::mpsc::sync_channel;

/// Something that allocates.
#[derive(Debug)]
pub struct Workload {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
    /// Does it and returns the number of operations.
    pub run: fn() -> u64,
}

/// All of them.
pub const WORKLOADS: [Workload; 6] = [
    Workload {
        name: "W1",
        what: "churn of 16 to 256 bytes over 1,024 slots",
        run: || churn(1_000_000),
    },
    Workload { name: "W2", what: "growing vectors", run: growing_vectors },
    Workload { name: "W3", what: "a map of a million strings to vectors", run: large_map },
    Workload { name: "W4", what: "W1 on two threads", run: || churn_on_threads(2) },
    Workload { name: "W5", what: "producer and consumer", run: producer_and_consumer },
    Workload { name: "W6", what: "parse, clone, walk and drop JSON", run: json },
];

const SLOTS: usize = 1024;

type Block = Box<[MaybeUninit<u8>]>;

fn churn(pairs: u64) -> u64 {
    let mut slots: Vec<Option<Block>> = (0..SLOTS).map(|_| None).collect();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..pairs {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let size = 16 + (random >> 32) as usize % 241;
        slots[random as usize % SLOTS] = Some(block(size));
    }
    black_box(&slots);
    pairs
}

/// Allocates, writes one byte and nothing else, so that the allocator is what is timed.
#[inline(never)]
fn block(size: usize) -> Block {
    let mut block = Box::new_uninit_slice(size);
    block[0].write(1);
    block
}

fn churn_on_threads(threads: usize) -> u64 {
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(|| churn(1_000_000))).collect();
        let pairs =
            handles.into_iter().map(|handle| handle.join().expect("churning does not panic"));
        // Wall time over what one thread did: on as many cores, perfect sharing costs nothing.
        pairs.max().unwrap_or(0)
    })
}

fn growing_vectors() -> u64 {
    let rounds = 200;
    for _ in 0..rounds {
        let mut vectors: Vec<Vec<u64>> = (0..64).map(|_| Vec::new()).collect();
        for n in 0..1024 {
            for vector in &mut vectors {
                vector.push(n);
            }
        }
        black_box(&vectors);
    }
    rounds * 64 * 9
}

fn large_map() -> u64 {
    let entries = 1_000_000;
    let map: HashMap<String, Vec<u8>> =
        (0..entries).map(|n| (format!("key number {n}"), vec![1; 24])).collect();
    black_box(&map);
    entries
}

fn producer_and_consumer() -> u64 {
    let messages = 500_000;
    let (send, receive) = sync_channel::<Block>(256);
    let consumer =
        std::thread::spawn(move || receive.iter().map(|message| message.len()).sum::<usize>());
    for n in 0..messages {
        send.send(block(16 + n as usize % 200)).expect("the consumer is there");
    }
    drop(send);
    black_box(consumer.join().expect("consuming does not panic"));
    messages
}

fn json() -> u64 {
    let document = document();
    let rounds = 20;
    for _ in 0..rounds {
        let value: serde_json::Value =
            serde_json::from_str(&document).expect("the document is JSON");
        let copy = value.clone();
        black_box(depth(&copy));
    }
    rounds
}

fn document() -> String {
    let item =
        |n: u32| format!(r#"{{"id":{n},"name":"item {n}","tags":["a","b","c"],"price":{n}.5}}"#);
    let items: Vec<String> = (0..2000).map(item).collect();
    format!("[{}]", items.join(","))
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
