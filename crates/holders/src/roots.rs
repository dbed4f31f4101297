//! What is alive by itself: statics, thread-locals and stacks.

use std::ops::Range;

use leakcheck_ledger::live;

use crate::modules::{self, Module};
use crate::threads::{self, ThreadState};

/// What a stretch of memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootKind {
    Static,
    ThreadLocal,
    Stack,
    /// The C library's part of a thread, where values stay behind.
    ThreadControlBlock,
    /// Memory that neither Rust's allocator nor the dynamic linker knows: the C library's heap, and
    /// what the program maps itself.
    Foreign,
}

/// A stretch of memory that is alive by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub(crate) kind: RootKind,
    /// Of thread-locals 0: where they are is found out in the snapshot, and places in them are
    /// counted from their beginning.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Of statics and thread-locals.
    pub(crate) module: usize,
    /// Of thread-locals and stacks.
    pub(crate) thread: usize,
    /// Of the C library, which manages blocks: only what points to their beginnings counts.
    pub(crate) is_c_library: bool,
}

/// All roots of the process, and what they belong to.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) modules: Vec<Module>,
    pub(crate) threads: Vec<ThreadState>,
    /// Statics first, then thread-locals, then stacks: the first to hold a block is the one to be
    /// named.
    pub(crate) all: Vec<Root>,
}

/// How large glibc's structure of a thread is, with some room.
pub(crate) const CONTROL_BLOCK_SIZE: usize = 0x900;

impl Roots {
    /// `stack_pointer` is the calling thread's.
    pub(crate) fn find(stack_pointer: usize) -> Self {
        let modules = modules::all();
        let threads = threads::all(stack_pointer);
        let mut all = Vec::new();
        for (index, module) in modules.iter().enumerate() {
            let is_c_library = module.is_c_library();
            for range in &module.statics {
                let (start, end) = (range.start, range.end);
                all.push(Root {
                    kind: RootKind::Static,
                    start,
                    end,
                    module: index,
                    thread: 0,
                    is_c_library,
                });
            }
        }
        let has_pointer = |(_, thread): &(usize, &ThreadState)| thread.pointer != 0;
        for (index, _) in threads.iter().enumerate().filter(has_pointer) {
            let has_locals = |(_, module): &(usize, &Module)| module.thread_locals.is_some();
            for (module, _) in modules.iter().enumerate().filter(has_locals) {
                all.push(Root {
                    kind: RootKind::ThreadLocal,
                    start: 0,
                    end: 0,
                    module,
                    thread: index,
                    is_c_library: false,
                });
            }
        }
        for (index, thread) in threads.iter().enumerate() {
            let from = if thread.stack_pointer == 0 { thread.low } else { thread.stack_pointer };
            let start = from & !7;
            let stack = Root {
                kind: RootKind::Stack,
                start,
                end: thread.top,
                module: 0,
                thread: index,
                is_c_library: false,
            };
            all.push(stack);
        }
        for (index, thread) in threads.iter().enumerate().filter(has_pointer) {
            let (start, end) = (thread.pointer, thread.pointer + CONTROL_BLOCK_SIZE);
            if cfg!(target_arch = "x86_64") {
                all.push(Root {
                    kind: RootKind::ThreadControlBlock,
                    start,
                    end,
                    module: 0,
                    thread: index,
                    is_c_library: false,
                });
            }
        }
        let mut roots = Self { modules, threads, all };
        roots.add_foreign();
        roots
    }

    /// All other memory that can be written: between the blocks in it somebody else may keep
    /// pointers to blocks, as the standard library does with what it takes from the C library.
    fn add_foreign(&mut self) {
        let mut known: Vec<Range<usize>> = live::ranges();
        for root in &self.all {
            known.push(root.start..root.end);
        }
        for thread in &self.threads {
            known.push(thread.low..thread.top.max(thread.pointer + CONTROL_BLOCK_SIZE));
        }
        known.sort_by_key(|range| range.start);
        for mapping in threads::private_mappings() {
            let mut from = mapping.start;
            for range in known.iter().filter(|range| range.end > mapping.start) {
                if range.start >= mapping.end {
                    break;
                }
                self.push_foreign(from, range.start);
                from = from.max(range.end);
            }
            self.push_foreign(from, mapping.end);
        }
    }

    fn push_foreign(&mut self, start: usize, end: usize) {
        if start < end {
            self.all.push(Root {
                kind: RootKind::Foreign,
                start,
                end,
                module: 0,
                thread: 0,
                is_c_library: false,
            });
        }
    }
}
