//! Dominators of a flow graph: what all ways to a node lead through.
//!
//! The algorithm is the simple one of Lengauer and Tarjan, *A Fast Algorithm for Finding Dominators
//! in a Flowgraph* (ACM TOPLAS 1(1), 1979), in O(m log n) for any graph; a list of a million nodes
//! is as good as a bush. It recurses nowhere: what it notes is in arrays.

use crate::heap::NONE;
use crate::pool::Array;
use crate::reach::Trouble;

/// A graph with nodes from 0 on, of which some are entered from outside.
pub(crate) trait Flow {
    /// How many nodes there are.
    fn nodes(&self) -> usize;

    /// Whether a node is entered from outside.
    fn is_entry(&self, node: usize) -> bool;

    /// Calls `each` with the nodes that a node leads to, from the place `at` on, until it says that
    /// it has enough. Returns where it stopped.
    fn successors(&self, node: usize, at: usize, each: impl FnMut(usize) -> bool) -> usize;

    /// An error when the time is up; asked every now and then.
    fn in_time(&self) -> Result<(), Trouble>;
}

/// The dominator tree, by numbers: 0 is what is outside of the graph, the others are nodes in the
/// order of a search in depth. A node's dominators have lower numbers than itself.
#[derive(Debug)]
pub(crate) struct Dominators {
    /// The number of each node; 0 for those that no entry leads to.
    pub(crate) number: Array<u32>,
    /// The node of each number.
    pub(crate) node: Array<u32>,
    /// The nearest dominator of each number.
    pub(crate) above: Array<u32>,
    /// One more than the highest number.
    pub(crate) end: usize,
}

/// How often the time is looked at: after so many nodes.
const OFTEN: usize = 0xfff;

/// The dominator tree of a graph.
pub(crate) fn dominators(flow: &impl Flow) -> Result<Dominators, Trouble> {
    let room = flow.nodes() + 1;
    let array = || Array::<u32>::new(room).ok_or(Trouble::Memory);
    let mut found = Dominators {
        number: Array::new(flow.nodes()).ok_or(Trouble::Memory)?,
        node: array()?,
        above: array()?,
        end: 1,
    };
    let (parent, cursor, entering) = (array()?, array()?, array()?);
    found.search(flow, [parent, cursor, entering])?;
    let edges = Edges::into_each(flow, &found, entering)?;
    let forest = Forest { up: array()?, best: array()?, half: array()? };
    // The first of the numbers whose semidominator it is, and the next one with the same.
    let (first, next) = (cursor, array()?);
    for number in 0..found.end {
        forest.best.set(number, number as u32);
        forest.half.set(number, number as u32);
        first.set(number, 0);
    }
    for number in (1..found.end).rev() {
        if number & OFTEN == 0 {
            flow.in_time()?;
        }
        for place in edges.of(number) {
            let half = forest.half.get(forest.best_above(edges.from.get(place)));
            if half < forest.half.get(number) {
                forest.half.set(number, half);
            }
        }
        let half = forest.half.get(number) as usize;
        next.set(number, first.get(half));
        first.set(half, number as u32);
        let above = parent.get(number);
        forest.link(above, number);
        let mut waiting = first.get(above as usize) as usize;
        first.set(above as usize, 0);
        while waiting != 0 {
            let best = forest.best_above(waiting as u32);
            let is_lower = forest.half.get(best) < forest.half.get(waiting);
            found.above.set(waiting, if is_lower { best as u32 } else { above });
            waiting = next.get(waiting) as usize;
        }
    }
    for number in 1..found.end {
        let above = found.above.get(number);
        if above != forest.half.get(number) {
            found.above.set(number, found.above.get(above as usize));
        }
    }
    edges.give_back();
    for array in [parent, cursor, next, forest.up, forest.best, forest.half] {
        array.give_back();
    }
    Ok(found)
}

impl Dominators {
    /// Numbers all nodes that an entry leads to, in depth first order, and counts the edges that enter
    /// each node.
    fn search(
        &mut self,
        flow: &impl Flow,
        [parent, cursor, entering]: [Array<u32>; 3],
    ) -> Result<(), Trouble> {
        let count = |node: usize| entering.set(node, entering.get(node).saturating_add(1));
        for entry in 0..flow.nodes() {
            if !flow.is_entry(entry) {
                continue;
            }
            count(entry);
            if self.number.get(entry) != 0 {
                continue;
            }
            let mut here = self.add(entry, 0, parent);
            while here != 0 {
                let mut inner = NONE;
                let at = cursor.get(here) as usize;
                let stopped = flow.successors(self.node.get(here) as usize, at, |target| {
                    count(target);
                    let is_new = self.number.get(target) == 0;
                    if is_new {
                        inner = target as u32;
                    }
                    is_new
                });
                cursor.set(here, stopped as u32);
                if inner == NONE {
                    here = parent.get(here) as usize;
                } else {
                    here = self.add(inner as usize, here, parent);
                    if here & OFTEN == 0 {
                        flow.in_time()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, node: usize, from: usize, parent: Array<u32>) -> usize {
        let number = self.end;
        self.end += 1;
        self.number.set(node, number as u32);
        self.node.set(number, node as u32);
        parent.set(number, from as u32);
        number
    }
}

/// For each number those that lead to it.
struct Edges {
    /// Where those of a number begin; they end where those of the next begin.
    start: Array<u32>,
    from: Array<u32>,
}

impl Edges {
    /// `entering` has how many there are for each node.
    fn into_each(
        flow: &impl Flow,
        found: &Dominators,
        entering: Array<u32>,
    ) -> Result<Self, Trouble> {
        let start = Array::<u32>::new(found.end + 1).ok_or(Trouble::Memory)?;
        let mut sum = 0_u32;
        for number in 1..found.end {
            let more = entering.get(found.node.get(number) as usize);
            // Where there are too many to count them.
            sum = sum.checked_add(more).ok_or(Trouble::Memory)?;
            start.set(number, sum);
        }
        start.set(found.end, sum);
        entering.give_back();
        let from = Array::<u32>::new(sum as usize).ok_or(Trouble::Memory)?;
        // From each one's end down to its beginning.
        each_edge(flow, found, |leads, to| {
            let place = start.get(to) - 1;
            start.set(to, place);
            from.set(place as usize, leads as u32);
        })?;
        Ok(Self { start, from })
    }

    fn of(&self, number: usize) -> std::ops::Range<usize> {
        self.start.get(number) as usize..self.start.get(number + 1) as usize
    }

    fn give_back(self) {
        self.start.give_back();
        self.from.give_back();
    }
}

/// Calls `each` with all edges, those from outside included.
fn each_edge(
    flow: &impl Flow,
    found: &Dominators,
    mut each: impl FnMut(usize, usize),
) -> Result<(), Trouble> {
    for number in 1..found.end {
        if number & OFTEN == 0 {
            flow.in_time()?;
        }
        let node = found.node.get(number) as usize;
        if flow.is_entry(node) {
            each(0, number);
        }
        flow.successors(node, 0, |target| {
            each(number, found.number.get(target) as usize);
            false
        });
    }
    Ok(())
}

/// Trees of what was looked at already, with ways that get shorter as they are gone.
struct Forest {
    /// One more than the number above; 0 at the top of a tree.
    up: Array<u32>,
    /// The number with the lowest semidominator on the way up that was cut short.
    best: Array<u32>,
    /// Semidominators.
    half: Array<u32>,
}

impl Forest {
    fn link(&self, above: u32, number: usize) {
        self.up.set(number, above + 1);
    }

    fn above(&self, number: usize) -> usize {
        self.up.get(number) as usize - 1
    }

    /// Of a number and those above it, without the top of its tree, the one with the lowest
    /// semidominator.
    fn best_above(&self, number: u32) -> usize {
        let number = number as usize;
        if self.up.get(number) == 0 {
            return number;
        }
        self.shorten(number);
        self.best.get(number) as usize
    }

    /// Leads all on the way from a number to the top straight there. On the way up each points to the
    /// one below, so that there is a way back down without a stack.
    fn shorten(&self, number: usize) {
        let mut below = 0;
        let mut here = number;
        while self.up.get(self.above(here)) != 0 {
            let above = self.above(here);
            self.up.set(here, below);
            below = here as u32 + 1;
            here = above;
        }
        let top = self.up.get(here);
        while below != 0 {
            let next = below as usize - 1;
            below = self.up.get(next);
            let (best, own) = (self.best.get(here), self.best.get(next));
            if self.half.get(best as usize) < self.half.get(own as usize) {
                self.best.set(next, best);
            }
            self.up.set(next, top);
            here = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Drawn {
        leads_to: Vec<Vec<usize>>,
        entries: Vec<usize>,
    }

    impl Flow for Drawn {
        fn nodes(&self) -> usize {
            self.leads_to.len()
        }

        fn is_entry(&self, node: usize) -> bool {
            self.entries.contains(&node)
        }

        fn successors(&self, node: usize, at: usize, mut each: impl FnMut(usize) -> bool) -> usize {
            for (place, target) in self.leads_to[node].iter().enumerate().skip(at) {
                if each(*target) {
                    return place + 1;
                }
            }
            self.leads_to[node].len()
        }

        fn in_time(&self) -> Result<(), Trouble> {
            Ok(())
        }
    }

    impl Drawn {
        /// Which nodes can be reached when one of them is taken out.
        fn reached_without(&self, out: Option<usize>) -> Vec<bool> {
            let mut reached = vec![false; self.leads_to.len()];
            let mut next = self.entries.clone();
            while let Some(node) = next.pop() {
                if Some(node) != out && !std::mem::replace(&mut reached[node], true) {
                    next.extend(&self.leads_to[node]);
                }
            }
            reached
        }

        /// All dominators of each node, as the word means it.
        fn by_definition(&self) -> Vec<Vec<usize>> {
            let all = self.reached_without(None);
            let without: Vec<_> =
                (0..self.leads_to.len()).map(|out| self.reached_without(Some(out))).collect();
            let is_above =
                |out: usize, node: usize| all[node] && out != node && !without[out][node];
            let of = |node: usize| (0..all.len()).filter(|out| is_above(*out, node)).collect();
            (0..all.len()).map(of).collect()
        }

        fn by_algorithm(&self) -> Vec<Vec<usize>> {
            let found = dominators(self).unwrap();
            let of = |node: usize| {
                let mut all = Vec::new();
                let mut number = found.above.get(found.number.get(node) as usize) as usize;
                while number != 0 {
                    all.push(found.node.get(number) as usize);
                    number = found.above.get(number) as usize;
                }
                all.sort_unstable();
                all
            };
            (0..self.leads_to.len()).map(of).collect()
        }
    }

    #[test]
    fn what_two_ways_lead_to_hangs_on_neither() {
        let graph = Drawn {
            leads_to: vec![vec![1, 2], vec![3], vec![3], vec![4], vec![]],
            entries: vec![0],
        };
        assert_eq!(graph.by_algorithm(), [vec![], vec![0], vec![0], vec![0], vec![0, 3]]);
    }

    #[test]
    fn graphs_by_chance_have_the_dominators_of_the_definition() {
        let mut state = 7_u64;
        let mut below = |end: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % end
        };
        for _ in 0..3000 {
            let nodes = 1 + below(24);
            let edges = below(3) + 1;
            let leads_to =
                (0..nodes).map(|_| (0..below(edges + 1)).map(|_| below(nodes)).collect()).collect();
            let entries = (0..1 + below(3)).map(|_| below(nodes)).collect();
            let graph = Drawn { leads_to, entries };
            assert_eq!(graph.by_algorithm(), graph.by_definition(), "{:?}", graph.leads_to);
        }
    }

    #[test]
    fn long_lists_take_no_stack_and_no_square_of_time() {
        // Two lists whose nodes lead to the same items: the way to an item has no dominators.
        let length = if cfg!(miri) { 300 } else { 100_000 };
        let list = |number: usize| 3 * number;
        let mut leads_to = vec![Vec::new(); 3 * length];
        for number in 0..length {
            for side in [0, 1] {
                leads_to[list(number) + side].push(list(number) + 2);
                if number + 1 < length {
                    leads_to[list(number) + side].push(list(number + 1) + side);
                }
            }
        }
        let found = dominators(&Drawn { leads_to, entries: vec![0, 1] }).unwrap();
        for number in 0..length {
            assert_eq!(found.above.get(found.number.get(list(number) + 2) as usize), 0);
        }
        let last = found.number.get(list(length - 1)) as usize;
        let before = found.number.get(list(length - 2));
        assert_eq!(found.above.get(last), before);
    }
}
