//! The roots of reachability: statics, thread-locals and stacks.

use std::ops::Range;

use leakcheck_ledger::shadow;
use leakcheck_report::order;

use crate::Query;
use crate::modules::{self, Module};
use crate::pages::Pages;
use crate::threads::{self, ThreadState, Unreadable};

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
    pub(crate) pages: Pages,
}

/// An upper bound for the size of glibc's `struct pthread`.
pub(crate) const CONTROL_BLOCK_SIZE: usize = 0x900;

impl Root {
    fn new(kind: RootKind, start: usize, end: usize) -> Self {
        Self { kind, start, end, module: 0, thread: 0, is_c_library: false }
    }
}

impl Roots {
    /// Lists all roots.
    ///
    /// # Errors
    ///
    /// Returns an error where the kernel's lists cannot be read.
    pub(crate) fn find(query: &Query<'_>) -> Result<Self, Unreadable> {
        let here = 0_usize;
        let stack_pointer = &raw const here as usize;
        let (modules, threads) = (modules::all(), threads::all(stack_pointer)?);
        let pages = Pages::new(threads::unreadable_mappings()?)?;
        let mut roots = Self { modules, threads, all: Vec::new(), pages };
        roots.add_statics();
        roots.add_thread_locals();
        roots.add_stacks(query);
        if cfg!(target_arch = "x86_64") {
            roots.add_control_blocks();
        }
        roots.add_foreign()?;
        Ok(roots)
    }

    fn add_statics(&mut self) {
        for (index, module) in self.modules.iter().enumerate() {
            let is_c_library = module.is_c_library();
            for range in &module.statics {
                let root = Root::new(RootKind::Static, range.start, range.end);
                self.all.push(Root { module: index, is_c_library, ..root });
            }
        }
    }

    fn add_thread_locals(&mut self) {
        for (thread, state) in self.threads.iter().enumerate() {
            if state.pointer == 0 {
                continue;
            }
            for (module, _) in
                self.modules.iter().enumerate().filter(|(_, module)| module.thread_locals.is_some())
            {
                let root = Root::new(RootKind::ThreadLocal, 0, 0);
                self.all.push(Root { module, thread, ..root });
            }
        }
    }

    fn add_stacks(&mut self, query: &Query<'_>) {
        for (thread, state) in self.threads.iter().enumerate() {
            // Where the stack pointer is unknown, all of the stack may be in use.
            let mut start = if state.stack_pointer == 0 { state.low } else { state.stack_pointer };
            if thread == 0 {
                start = query.stack_before.first_live((state.low, state.top), start);
            }
            let root = Root::new(RootKind::Stack, start & !7, state.top);
            self.all.push(Root { thread, ..root });
        }
        let registers = query.registers.range();
        self.all.push(Root::new(RootKind::Stack, registers.start, registers.end));
    }

    fn add_control_blocks(&mut self) {
        for (thread, state) in self.threads.iter().enumerate() {
            if state.pointer != 0 {
                let end = state.pointer + CONTROL_BLOCK_SIZE;
                let root = Root::new(RootKind::ThreadControlBlock, state.pointer, end);
                self.all.push(Root { thread, ..root });
            }
        }
    }

    /// Adds all other writable memory. The standard library and C code may keep pointers to blocks
    /// there, in memory that they have from the C library.
    fn add_foreign(&mut self) -> Result<(), Unreadable> {
        let mut known: Vec<Range<usize>> = shadow::ranges();
        for root in &self.all {
            known.push(root.start..root.end);
        }
        for thread in &self.threads {
            known.push(thread.low..thread.top.max(thread.pointer + CONTROL_BLOCK_SIZE));
        }
        order::sort_by_key(&mut known, |range| range.start);
        for mapping in threads::private_mappings()? {
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
        Ok(())
    }

    fn push_foreign(&mut self, start: usize, end: usize) {
        if start < end {
            self.all.push(Root::new(RootKind::Foreign, start, end));
        }
    }
}
