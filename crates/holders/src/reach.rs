//! Reachability of blocks from the roots.
//!
//! The search is conservative: every aligned word may be a pointer. It starts from statics, then
//! thread-locals, then stacks. Blocks that only uncertain pointers lead to come last.

use leakcheck_ledger::{RegionId, SiteId};
use leakcheck_report::Reachability;

use crate::answer::Answer;
use crate::array::Array;
use crate::budget::{Budget, Exhausted};
use crate::evidence::evidence;
use crate::heap::{Heap, NONE, word};
use crate::pages::PAGE;
use crate::roots::{Root, RootKind, Roots};
use crate::spare::{Collections, Content};
use crate::stack::StackSnapshot;

/// Set in a predecessor that is a root. The other bits are the index of the root.
pub(crate) const ROOT: u32 = 1 << 31;

/// The block is owned by a region of the query.
const OWNED: u8 = 1 << 7;
/// The block is owned, or reachable from an owned block.
const SUBGRAPH: u8 = 1 << 6;
/// A root, or a block outside of the subgraph, keeps the block alive.
const ENTRY: u8 = 1 << 5;
const REACHABILITY: u8 = ENTRY - 1;

/// The graph of all live blocks.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(crate) heap: Heap,
    pub(crate) roots: &'a Roots,
    /// The number of a block's [`Reachability`] in the lower bits, or 0, and the flags above.
    marks: Array<u8>,
    /// The predecessor of a block on its reference path: another block, or a root.
    pub(crate) predecessor: Array<u32>,
    /// The index of the word in the predecessor that points to the block.
    pub(crate) word_index: Array<u32>,
    /// The predecessor by the first uncertain pointer, plus one, so that 0 means none.
    possible_from: Array<u32>,
    possible_at: Array<u32>,
    collections: Collections,
    /// The reached blocks in the order in which they were reached.
    pub(crate) reached: Array<u32>,
    pub(crate) reached_count: usize,
    scanned_count: usize,
    budget: Budget,
    pub(crate) query: &'a SnapshotQuery<'a>,
}

/// What the child of a snapshot searches for.
#[derive(Debug)]
pub(crate) struct SnapshotQuery<'a> {
    /// The regions whose blocks are in question.
    pub(crate) owners: &'a [RegionId],
    /// The call sites that are known to allocate `Rc`s or `Arc`s, and those known to allocate other
    /// types. Both are sorted.
    pub(crate) refcounted_sites: &'a [SiteId],
    pub(crate) other_sites: &'a [SiteId],
    /// The value by which the C library marks free chunks that seem to be in use, or 0 if unknown.
    pub(crate) free_mark: usize,
    /// The calling thread's stack before the body ran.
    pub(crate) stack_before: &'a StackSnapshot,
}

/// How a range of memory is scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    /// The block or root that contains the range.
    from: u32,
    reachability: Reachability,
    /// The range may contain stale values, so its pointers prove nothing.
    uncertain: bool,
    /// Only pointers to the start of a block count. The C library's heap contains stale pointers of
    /// its allocator to other addresses.
    direct_only: bool,
    /// The range is on the stack of a thread that has no access to the region's blocks.
    on_harness_stack: bool,
    /// The range is on the stack on which the body ran.
    on_own_stack: bool,
    /// The end of the block that contains the range, 0 for a root.
    block_end: usize,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(
        roots: &'a Roots,
        query: &'a SnapshotQuery<'a>,
        budget: Budget,
    ) -> Result<Self, Exhausted> {
        let heap = Heap::of_live_blocks(&roots.pages).ok_or(Exhausted::Memory)?;
        let count = heap.count;
        let array = || Array::<u32>::new(count).ok_or(Exhausted::Memory);
        let graph = Self {
            marks: Array::new(count).ok_or(Exhausted::Memory)?,
            predecessor: array()?,
            word_index: array()?,
            possible_from: array()?,
            possible_at: array()?,
            collections: Collections::new(count).ok_or(Exhausted::Memory)?,
            reached: array()?,
            reached_count: 0,
            scanned_count: 0,
            heap,
            roots,
            budget,
            query,
        };
        for index in 0..count {
            graph.predecessor.set(index, NONE);
            let (owner, _) = graph.heap.owner(index);
            if graph.heap.is_untracked(index) {
                // leakcheck's own blocks hold none of the program's, so they are never scanned.
                graph.set_reachability(index, Reachability::PossiblyHeld);
            } else if owner != 0 && query.owners.contains(&owner) {
                graph.marks.set(index, OWNED);
            }
        }
        graph.in_time()?;
        graph.mark_subgraph()?;
        Ok(graph)
    }

    /// # Errors
    ///
    /// [`Exhausted::Time`] when the child has used up its processor time.
    pub(crate) fn in_time(&self) -> Result<(), Exhausted> {
        self.budget.check()
    }

    pub(crate) fn is_owned(&self, block: usize) -> bool {
        self.marks.get(block) & OWNED != 0
    }

    pub(crate) fn is_in_subgraph(&self, block: usize) -> bool {
        self.marks.get(block) & SUBGRAPH != 0
    }

    pub(crate) fn add_to_subgraph(&self, block: usize) {
        self.marks.set(block, self.marks.get(block) | SUBGRAPH);
    }

    pub(crate) fn is_entry_node(&self, block: usize) -> bool {
        self.marks.get(block) & ENTRY != 0
    }

    /// Records that a root, or a block outside of the subgraph, keeps a block alive.
    pub(crate) fn set_entry_node(&self, block: usize) {
        self.marks.set(block, self.marks.get(block) | ENTRY);
    }

    /// Whether a pointer keeps its target alive, given how the block that contains it is reachable.
    ///
    /// A block that is certainly reachable is kept alive by direct pointers from such blocks only.
    /// Lost blocks are kept alive by every pointer.
    pub(crate) fn keeps_alive(
        &self,
        from: Reachability,
        to: Reachability,
        target: usize,
        value: usize,
    ) -> bool {
        let is_direct = || {
            let bytes = 8 * self.heap.words(target);
            evidence(self.heap.start(target), bytes, value).is_direct()
        };
        match (from, to) {
            (Reachability::PossiblyHeld, to) => to == Reachability::PossiblyHeld,
            (from, _) if from.is_lost() => true,
            _ => is_direct(),
        }
    }

    /// Whether a block may start with reference counts, as far as its call site is known.
    pub(crate) fn may_be_refcounted(&self, block: usize) -> bool {
        let (_, site) = self.heap.owner(block);
        self.query.refcounted_sites.binary_search(&site).is_ok()
            || self.query.other_sites.binary_search(&site).is_err()
    }

    pub(crate) fn reachability(&self, block: usize) -> Option<Reachability> {
        match self.marks.get(block) & REACHABILITY {
            0 => None,
            number => Some(Reachability::from_number(number)),
        }
    }

    pub(crate) fn set_reachability(&self, block: usize, reachability: Reachability) {
        self.marks.set(block, self.marks.get(block) & !REACHABILITY | reachability.number());
    }

    /// Adds a block to the reached blocks.
    pub(crate) fn push(&mut self, block: usize, reachability: Reachability, from: u32, at: u32) {
        self.set_reachability(block, reachability);
        self.predecessor.set(block, from);
        self.word_index.set(block, at);
        self.reached.set(self.reached_count, block as u32);
        self.reached_count += 1;
    }

    /// Unmaps the arrays that describe reference paths, once all paths are written.
    pub(crate) fn free_paths(&mut self) -> Result<(), Exhausted> {
        let arrays = [
            &mut self.predecessor,
            &mut self.word_index,
            &mut self.possible_from,
            &mut self.possible_at,
            &mut self.reached,
        ];
        for array in arrays {
            let none = Array::new(1).ok_or(Exhausted::Memory)?;
            std::mem::replace(array, none).unmap();
        }
        Ok(())
    }

    /// Finds all blocks that are reachable from the roots.
    pub(crate) fn reach(&mut self, answer: &Answer) -> Result<(), Exhausted> {
        let kinds = [
            (RootKind::Static, Reachability::HeldByStatic),
            (RootKind::ThreadLocal, Reachability::HeldByThreadLocal),
            (RootKind::Stack, Reachability::HeldByThread),
            (RootKind::ThreadControlBlock, Reachability::PossiblyHeld),
            (RootKind::Foreign, Reachability::PossiblyHeld),
        ];
        let roots = self.roots;
        for (kind, reachability) in kinds {
            for (index, root) in roots.all.iter().enumerate() {
                if root.kind == kind {
                    self.scan_root(index, root, reachability, answer);
                    self.in_time()?;
                }
            }
            self.scan_found()?;
        }
        // The rest is reached by uncertain pointers only.
        for block in 0..self.heap.count {
            let from = self.possible_from.get(block);
            if self.reachability(block).is_none() && from != 0 {
                self.push(block, Reachability::PossiblyHeld, from - 1, self.possible_at.get(block));
                // It may have other holders that are not known to be such.
                self.set_entry_node(block);
            }
        }
        self.scan_found()
    }

    fn scan_root(
        &mut self,
        index: usize,
        root: &Root,
        reachability: Reachability,
        answer: &Answer,
    ) {
        let from = ROOT | index as u32;
        let certain = Scan {
            from,
            reachability,
            uncertain: false,
            direct_only: false,
            on_harness_stack: false,
            on_own_stack: false,
            block_end: 0,
        };
        let uncertain = Scan { uncertain: true, ..certain };
        match root.kind {
            RootKind::Static => {
                let direct_only = root.is_c_library;
                self.scan(root.start, root.start, root.end, Scan { direct_only, ..certain });
            }
            RootKind::ThreadLocal => self.scan_locals(root, certain),
            RootKind::ThreadControlBlock => {
                self.scan_present(root.start, root.start, root.end, uncertain)
            }
            RootKind::Foreign => self.scan_foreign(root, Scan { direct_only: true, ..uncertain }),
            RootKind::Stack => {
                let thread = &self.roots.threads[root.thread];
                // The calling thread has not returned from any frame since. The part of another
                // thread's stack that was in use both before and after the snapshot is certain.
                let middle = if root.thread == 0 {
                    root.start
                } else {
                    match (thread.stack_pointer, answer.later_stack_pointer(root.thread)) {
                        (0, _) | (_, None | Some(0)) => root.end,
                        (before, Some(after)) => before.max(after).min(root.end) & !7,
                    }
                };
                let start = middle.max(root.start);
                let on_own_stack = root.thread == 0;
                // SAFETY: this code runs in the child of a snapshot, where no other thread exists.
                let on_harness_stack = !on_own_stack && unsafe { thread.is_harness() };
                self.scan_present(
                    root.start,
                    root.start,
                    start,
                    Scan { on_harness_stack, on_own_stack, ..uncertain },
                );
                self.scan_present(
                    root.start,
                    start,
                    root.end,
                    Scan { on_harness_stack, on_own_stack, ..certain },
                );
            }
        }
    }

    /// Scans the blocks that were reached and not scanned yet.
    fn scan_found(&mut self) -> Result<(), Exhausted> {
        while self.scanned_count < self.reached_count {
            let block = self.reached.get(self.scanned_count) as usize;
            self.scanned_count += 1;
            if self.scanned_count & 0xfff == 0 {
                self.in_time()?;
            }
            let Some(reachability) = self.reachability(block) else { continue };
            let start = self.heap.start(block);
            // A pointer does not fit into the bytes after the last whole word.
            let end = start + (self.heap.bytes(block) as usize & !7);
            let scan = Scan {
                from: block as u32,
                reachability,
                uncertain: false,
                direct_only: false,
                on_harness_stack: false,
                on_own_stack: false,
                block_end: end,
            };
            if end - start < PAGE {
                self.scan_block(block, start, end, scan);
            } else {
                let roots = self.roots;
                roots.pages.each_run(start, end, |from, to| {
                    self.scan_block(block, from, to, scan);
                    self.in_time().is_ok()
                });
            }
        }
        Ok(())
    }

    /// Scans a part of a block, without the unused parts of a collection.
    fn scan_block(&mut self, block: usize, from: usize, to: usize, scan: Scan) {
        let (start, bytes) = (self.heap.start(block), self.heap.bytes(block) as usize);
        if !self.collections.has(block) {
            return self.scan(start, from, to, scan);
        }
        let mut address = (from + 7) & !7;
        while address + 8 <= to {
            match self.collections.content(block, (start, bytes), address - start) {
                Content::Element => self.scan(start, address, address + 8, scan),
                Content::Unsure => {
                    self.scan(start, address, address + 8, Scan { uncertain: true, ..scan });
                }
                Content::Spare => {}
            }
            address += 8;
        }
    }

    /// Calls `each` with the target, the word's index and its value for every pointer in a block,
    /// starting at the word `at`, until it returns `true`. Returns the index of the next word.
    pub(crate) fn each_pointer(
        &self,
        block: usize,
        mut at: usize,
        mut each: impl FnMut(usize, usize, usize) -> bool,
    ) -> usize {
        let start = self.heap.start(block);
        let words = (self.heap.bytes(block) / 8) as usize;
        while at < words {
            let address = start + 8 * at;
            if address & (PAGE - 1) == 0 && !self.roots.pages.is_readable(address) {
                let end = start + 8 * words;
                at = (self.roots.pages.next_readable(address, end) - start) / 8;
                continue;
            }
            // SAFETY: the word is in a readable page of a live block, and no other thread of the
            // child frees it.
            let value = unsafe { word(address) };
            let target = self.heap.find(value);
            at += 1;
            if target != NONE
                && self.is_element(block, address)
                && each(target as usize, at - 1, value)
            {
                break;
            }
        }
        at
    }

    /// Whether a word of a block may be part of an element, if the block is a collection's.
    fn is_element(&self, block: usize, address: usize) -> bool {
        let (start, bytes) = (self.heap.start(block), self.heap.bytes(block) as usize);
        !self.collections.has(block)
            || self.collections.content(block, (start, bytes), address - start) != Content::Spare
    }

    /// Scans the words from `start` to `end`. Their indices count from `zero`.
    pub(crate) fn scan(&mut self, zero: usize, start: usize, end: usize, scan: Scan) {
        let mut address = (start + 7) & !7;
        while address + 8 <= end {
            // SAFETY: roots are mapped. Live blocks are readable up to the next whole word, because
            // allocators round sizes up to at least that.
            let value = unsafe { word(address) };
            let target = self.heap.find(value);
            if target != NONE && !self.is_stale(target as usize, address, value, scan) {
                self.record_pointer(
                    target as usize,
                    value,
                    (zero, address, end.max(scan.block_end)),
                    scan,
                );
            }
            address += 8;
        }
    }

    /// Whether a word on a stack is no pointer to an owned block: it was there before the body ran,
    /// or the thread has no access to the region's blocks.
    #[inline(always)]
    fn is_stale(&self, target: usize, address: usize, value: usize, scan: Scan) -> bool {
        (scan.on_harness_stack
            || (scan.on_own_stack && self.query.stack_before.had(address, value)))
            && self.is_owned(target)
    }

    /// Records the pointer at `address`. Its index counts from `zero`, and its range ends at `end`.
    fn record_pointer(
        &mut self,
        target: usize,
        value: usize,
        (zero, address, end): (usize, usize, usize),
        scan: Scan,
    ) {
        let at = (address - zero) / 8;
        let mark = self.marks.get(target);
        let is_new_entry = mark & (SUBGRAPH | ENTRY) == SUBGRAPH
            && (scan.from & ROOT != 0 || !self.is_in_subgraph(scan.from as usize));
        if mark & REACHABILITY != 0 {
            if is_new_entry && !scan.uncertain {
                let reachability = Reachability::from_number(mark & REACHABILITY);
                if self.keeps_alive(scan.reachability, reachability, target, value) {
                    self.set_entry_node(target);
                }
            }
            return;
        }
        let at = if at < u32::MAX as usize { at as u32 } else { u32::MAX };
        let start = self.heap.start(target);
        let found = evidence(start, 8 * self.heap.words(target), value);
        if scan.direct_only && !found.is_direct() {
            return;
        }
        let direct = !scan.uncertain && found.is_direct();
        if direct || scan.reachability == Reachability::PossiblyHeld {
            if is_new_entry {
                self.set_entry_node(target);
            }
            let bytes = self.heap.bytes(target) as usize;
            self.collections.note(target, (start, bytes), found, (address, zero, end));
            self.push(target, scan.reachability, scan.from, at);
        } else if self.possible_from.get(target) == 0 {
            self.possible_from.set(target, scan.from + 1);
            self.possible_at.set(target, at);
        }
    }
}
