//! Which blocks can be reached from what is alive, and by which way.
//!
//! Conservative, word by word. From statics first, then thread-locals, then stacks; what only a
//! vague sign points to comes last.

use crate::answer::Answer;
use crate::evidence::{Evidence, evidence};
use crate::heap::{Heap, NONE, word};
use crate::pool::Array;
use crate::roots::{Root, RootKind, Roots};
use crate::stack::Before;
use leakcheck_ledger::RegionId;
use leakcheck_ledger::SiteId;
use leakcheck_report::Reachability;

/// In place of a block that leads to another one: a root, whose index is in the other bits.
pub(crate) const ROOT: u32 = 1 << 31;

/// The block belongs to the region that is asked about.
const MINE: u8 = 1 << 7;
/// A block of the region leads to it, or it is one.
const BELOW: u8 = 1 << 6;
/// A root holds it, or a block that is not [`BELOW`].
const ENTERED: u8 = 1 << 5;
const REACHABILITY: u8 = ENTERED - 1;

/// Why the child gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Memory,
    Time,
}

/// The graph of all live blocks as far as it is known.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(crate) heap: Heap,
    pub(crate) roots: &'a Roots,
    /// A class's number in its lower bits, 0 while there is none; and the bits above.
    marks: Array<u8>,
    /// Which block, or root, the block was found in.
    pub(crate) from: Array<u32>,
    /// At which word of it.
    pub(crate) at: Array<u32>,
    /// The same for the first vague sign, with one more than the block or root; 0 where there is none.
    vague_from: Array<u32>,
    vague_at: Array<u32>,
    /// Blocks in the order in which they were found.
    pub(crate) order: Array<u32>,
    pub(crate) found: usize,
    looked: usize,
    /// In milliseconds of the process's own time, so that others that run make no difference.
    most_ms: u64,
    pub(crate) question: &'a Question<'a>,
}

/// What the child is asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The regions whose blocks it is about.
    pub(crate) owners: &'a [RegionId],
    /// Call sites, sorted, that are known to make `Rc`s or `Arc`s, and those that make others.
    pub(crate) counted: &'a [SiteId],
    pub(crate) uncounted: &'a [SiteId],
    /// What the C library marks free chunks with that look as if they were in use; 0 is unknown.
    pub(crate) free_mark: usize,
    /// What was on the calling thread's stack before the body ran.
    pub(crate) before: &'a Before,
}

/// What a scan is looking for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    /// The block or root that is scanned.
    from: u32,
    reachability: Reachability,
    /// Where it may hold, but nothing that it holds is certain.
    vague: bool,
    /// Only pointers to the beginning of a block count: in memory of the C library, what is left of
    /// its management would look like others.
    exact: bool,
    /// A stack that holds no blocks of the region, but for what chance has left there.
    foreign: bool,
    /// The stack that the body ran on.
    own: bool,
}

/// Milliseconds on a clock of the kernel's.
pub(crate) fn ms_on(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes the time there.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

impl<'a> Graph<'a> {
    pub(crate) fn new(
        roots: &'a Roots,
        question: &'a Question<'a>,
        most_ms: u64,
    ) -> Result<Self, Trouble> {
        let heap = Heap::of_live_blocks().ok_or(Trouble::Memory)?;
        let count = heap.count;
        let array = || Array::<u32>::new(count).ok_or(Trouble::Memory);
        let graph = Self {
            marks: Array::new(count).ok_or(Trouble::Memory)?,
            from: array()?,
            at: array()?,
            vague_from: array()?,
            vague_at: array()?,
            order: array()?,
            found: 0,
            looked: 0,
            heap,
            roots,
            most_ms,
            question,
        };
        for index in 0..count {
            graph.from.set(index, NONE);
            let (owner, _) = graph.heap.owner(index);
            if graph.heap.is_ours(index) {
                // What leakcheck notes of the program is no holder: it counts as looked at.
                graph.set_reachability(index, Reachability::PossiblyHeld);
            } else if owner != 0 && question.owners.contains(&owner) {
                graph.marks.set(index, MINE);
            }
        }
        graph.in_time()?;
        graph.mark_below()?;
        Ok(graph)
    }

    pub(crate) fn in_time(&self) -> Result<(), Trouble> {
        match ms_on(libc::CLOCK_PROCESS_CPUTIME_ID) {
            ms if ms > self.most_ms => Err(Trouble::Time),
            _ => Ok(()),
        }
    }

    pub(crate) fn is_mine(&self, block: usize) -> bool {
        self.marks.get(block) & MINE != 0
    }

    pub(crate) fn is_below(&self, block: usize) -> bool {
        self.marks.get(block) & BELOW != 0
    }

    pub(crate) fn set_below(&self, block: usize) {
        self.marks.set(block, self.marks.get(block) | BELOW);
    }

    pub(crate) fn is_entered(&self, block: usize) -> bool {
        self.marks.get(block) & ENTERED != 0
    }

    /// Notes that a block is held by what no block of the region leads to.
    pub(crate) fn set_entered(&self, block: usize) {
        self.marks.set(block, self.marks.get(block) | ENTERED);
    }

    /// Whether a pointer in a block of one class keeps one of another class: what is certain is kept
    /// by what is certain, and what is lost by all that points to it.
    pub(crate) fn leads(
        &self,
        from: Reachability,
        to: Reachability,
        target: usize,
        value: usize,
    ) -> bool {
        let is_direct = || {
            let bytes = 8 * self.heap.words(target);
            evidence(self.heap.start(target), bytes, value) == Evidence::Direct
        };
        match (from, to) {
            (Reachability::PossiblyHeld, to) => to == Reachability::PossiblyHeld,
            (from, _) if from.is_lost() => true,
            _ => is_direct(),
        }
    }

    /// Whether a block may begin with reference counts, by what is known of its call site.
    pub(crate) fn may_be_counted(&self, block: usize) -> bool {
        let (_, site) = self.heap.owner(block);
        self.question.counted.binary_search(&site).is_ok()
            || self.question.uncounted.binary_search(&site).is_err()
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

    /// Adds a block to those that were found.
    pub(crate) fn push(&mut self, block: usize, reachability: Reachability, from: u32, at: u32) {
        self.set_reachability(block, reachability);
        self.from.set(block, from);
        self.at.set(block, at);
        self.order.set(self.found, block as u32);
        self.found += 1;
    }

    /// Gives back what is known of the ways to blocks, when all are told.
    pub(crate) fn forget_ways(&mut self) -> Result<(), Trouble> {
        let ways = [
            &mut self.from,
            &mut self.at,
            &mut self.vague_from,
            &mut self.vague_at,
            &mut self.order,
        ];
        for way in ways {
            let none = Array::new(1).ok_or(Trouble::Memory)?;
            std::mem::replace(way, none).give_back();
        }
        Ok(())
    }

    /// Finds all that is reached from the roots.
    pub(crate) fn reach(&mut self, answer: &Answer) -> Result<(), Trouble> {
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
                }
            }
            self.follow()?;
        }
        // What only vague signs lead to, and what that leads to.
        for block in 0..self.heap.count {
            let from = self.vague_from.get(block);
            if self.reachability(block).is_none() && from != 0 {
                self.push(block, Reachability::PossiblyHeld, from - 1, self.vague_at.get(block));
                // What would free it is not known.
                self.set_entered(block);
            }
        }
        self.follow()
    }

    fn scan_root(
        &mut self,
        index: usize,
        root: &Root,
        reachability: Reachability,
        answer: &Answer,
    ) {
        let from = ROOT | index as u32;
        let certain =
            Scan { from, reachability, vague: false, exact: false, foreign: false, own: false };
        let vague = Scan { vague: true, ..certain };
        match root.kind {
            RootKind::Static => {
                let exact = root.is_c_library;
                self.scan(root.start, root.start, root.end, Scan { exact, ..certain });
            }
            RootKind::ThreadLocal => self.scan_locals(root, certain),
            RootKind::ThreadControlBlock => {
                self.scan_present(root.start, root.start, root.end, vague)
            }
            RootKind::Foreign => self.scan_foreign(root, Scan { exact: true, ..vague }),
            RootKind::Stack => {
                let thread = &self.roots.threads[root.thread];
                // The calling thread has not moved meanwhile; of others, what was in use before and
                // after is certain.
                let middle = if root.thread == 0 {
                    root.start
                } else {
                    match (thread.stack_pointer, answer.later_stack_pointer(root.thread)) {
                        (0, _) | (_, None | Some(0)) => root.end,
                        (before, Some(after)) => before.max(after).min(root.end) & !7,
                    }
                };
                let start = middle.max(root.start);
                let own = root.thread == 0;
                // SAFETY: this is the child of a snapshot.
                let foreign = !own && unsafe { thread.is_harness() };
                self.scan_present(root.start, root.start, start, Scan { foreign, own, ..vague });
                self.scan_present(root.start, start, root.end, Scan { foreign, own, ..certain });
            }
        }
    }

    /// Looks at what was found and not looked at yet.
    fn follow(&mut self) -> Result<(), Trouble> {
        while self.looked < self.found {
            let block = self.order.get(self.looked) as usize;
            self.looked += 1;
            if self.looked & 0xfff == 0 {
                self.in_time()?;
            }
            let Some(reachability) = self.reachability(block) else { continue };
            let start = self.heap.start(block);
            // Behind the last whole word is what nobody asked for.
            let end = start + (self.heap.bytes(block) as usize & !7);
            self.scan(
                start,
                start,
                end,
                Scan {
                    from: block as u32,
                    reachability,
                    vague: false,
                    exact: false,
                    foreign: false,
                    own: false,
                },
            );
        }
        Ok(())
    }

    /// Calls `each` with every block that a block points into, the word and the pointer, from word `at`
    /// on, until it says that it has enough. Returns where it stopped.
    pub(crate) fn each_pointer(
        &self,
        block: usize,
        mut at: usize,
        mut each: impl FnMut(usize, usize, usize) -> bool,
    ) -> usize {
        let start = self.heap.start(block);
        let words = (self.heap.bytes(block) / 8) as usize;
        while at < words {
            // SAFETY: a whole word of a live block, which nobody frees in the child of a snapshot.
            let value = unsafe { word(start + 8 * at) };
            let target = self.heap.find(value);
            at += 1;
            if target != NONE && each(target as usize, at - 1, value) {
                break;
            }
        }
        at
    }

    /// Scans from `start` to `end`; words are counted from `zero`.
    pub(crate) fn scan(&mut self, zero: usize, start: usize, end: usize, scan: Scan) {
        let mut address = (start + 7) & !7;
        while address + 8 <= end {
            // SAFETY: roots are mapped, and so are live blocks, rounded up to whole words: their
            // allocator's own rounding is no smaller.
            let value = unsafe { word(address) };
            let target = self.heap.find(value);
            if target != NONE && !self.is_stale(target as usize, address, value, scan) {
                self.hit(target as usize, value, (address - zero) / 8, scan);
            }
            address += 8;
        }
    }

    /// Whether a word of a stack is no pointer to a block of the region: it was there before, or is
    /// where nobody has to do with the region.
    #[inline(always)]
    fn is_stale(&self, target: usize, address: usize, value: usize, scan: Scan) -> bool {
        (scan.foreign || (scan.own && self.question.before.had(address, value)))
            && self.is_mine(target)
    }

    fn hit(&mut self, target: usize, value: usize, at: usize, scan: Scan) {
        let mark = self.marks.get(target);
        let enters = mark & (BELOW | ENTERED) == BELOW
            && (scan.from & ROOT != 0 || !self.is_below(scan.from as usize));
        if mark & REACHABILITY != 0 {
            if enters && !scan.vague {
                let reachability = Reachability::from_number(mark & REACHABILITY);
                if self.leads(scan.reachability, reachability, target, value) {
                    self.set_entered(target);
                }
            }
            return;
        }
        let at = if at < u32::MAX as usize { at as u32 } else { u32::MAX };
        let start = self.heap.start(target);
        let told = evidence(start, 8 * self.heap.words(target), value);
        if scan.exact && told != Evidence::Direct {
            return;
        }
        let direct = !scan.vague && told == Evidence::Direct;
        if direct || scan.reachability == Reachability::PossiblyHeld {
            if enters {
                self.set_entered(target);
            }
            self.push(target, scan.reachability, scan.from, at);
        } else if self.vague_from.get(target) == 0 {
            self.vague_from.set(target, scan.from + 1);
            self.vague_at.set(target, at);
        }
    }
}
