//! The roots of reachability: statics, thread-locals and stacks.

use std::ops::Range;

use leakcheck_ledger::live;

use crate::modules::{self, Module};
use crate::threads::{self, ThreadState};

/// The kind of memory that a root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootKind {
    Static,
    ThreadLocal,
    Stack,
    /// The C library's data about a thread, which contain stale values.
    ThreadControlBlock,
    /// Memory that neither Rust's allocator nor the dynamic linker manages: the C library's heap
    /// and the program's own mappings.
    Foreign,
}

/// A range of memory that is reachable by definition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub(crate) kind: RootKind,
    /// The first address, or 0 for thread-locals, which are located in the snapshot. Offsets into
    /// them count from their start.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The index of the module, for statics and thread-locals.
    pub(crate) module: usize,
    /// The index of the thread, for thread-locals, stacks and control blocks.
    pub(crate) thread: usize,
    /// Whether this is a static of the C library. Its allocator points into the middle of blocks,
    /// so only pointers to their starts count.
    pub(crate) is_c_library: bool,
}

/// All roots of the process, with the modules and threads that they belong to.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) modules: Vec<Module>,
    pub(crate) threads: Vec<ThreadState>,
    /// Statics, then thread-locals, then stacks. A block is attributed to the first root that
    /// reaches it.
    pub(crate) all: Vec<Root>,
}

/// An upper bound for the size of glibc's `struct pthread`.
pub(crate) const CONTROL_BLOCK_SIZE: usize = 0x900;

impl Roots {
    /// Lists all roots. `stack_pointer` is the calling thread's.
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

    /// Adds all other writable memory. The standard library and C code may keep pointers to blocks
    /// there, in memory that they have from the C library.
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
