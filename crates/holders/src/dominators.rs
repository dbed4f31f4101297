//! Dominators of a flow graph: the nodes through which every path to a node leads.
//!
//! This is the simple version of the algorithm by Lengauer and Tarjan, *A Fast Algorithm for
//! Finding Dominators in a Flowgraph* (ACM TOPLAS 1(1), 1979). It takes O(m log n) time for any
//! graph and does not recurse.

use crate::array::Array;
use crate::budget::Exhausted;
use crate::heap::NONE;

/// A graph with nodes numbered from 0, some of which are entry nodes.
pub(crate) trait Flow {
    /// The number of nodes.
    fn nodes(&self) -> usize;

    /// Whether a node is an entry node.
    fn is_entry(&self, node: usize) -> bool;

    /// Calls `each` with the successors of a node, starting at the position `at`, until it returns
    /// `true`. Returns the next position.
    fn successors(&self, node: usize, at: usize, each: impl FnMut(usize) -> bool) -> usize;

    /// # Errors
    ///
    /// [`Exhausted::Time`] when time is up. Called regularly.
    fn in_time(&self) -> Result<(), Exhausted>;
}

/// A dominator tree. Nodes are identified by their number in a depth-first search, where 0 is the
/// virtual root. A dominator has a lower number than the nodes that it dominates.
#[derive(Debug)]
pub(crate) struct DominatorTree {
    /// The number of each node, or 0 if it is unreachable.
    pub(crate) number: Array<u32>,
    /// The node of each number.
    pub(crate) node: Array<u32>,
    /// The immediate dominator of each number.
    pub(crate) idom: Array<u32>,
    /// One more than the highest number.
    pub(crate) end: usize,
}

/// A mask: the time is checked after this many nodes.
const CHECK_INTERVAL: usize = 0xfff;

/// Computes the dominator tree of a graph.
pub(crate) fn dominators(flow: &impl Flow) -> Result<DominatorTree, Exhausted> {
    let room = flow.nodes() + 1;
    let array = || Array::<u32>::new(room).ok_or(Exhausted::Memory);
    let mut tree = DominatorTree {
        number: Array::new(flow.nodes()).ok_or(Exhausted::Memory)?,
        node: array()?,
        idom: array()?,
        end: 1,
    };
    let (parent, cursor, in_degree) = (array()?, array()?, array()?);
    tree.search(flow, [parent, cursor, in_degree])?;
    let predecessors = Predecessors::of_tree(flow, &tree, in_degree)?;
    let forest = Forest { ancestor: array()?, label: array()?, semi: array()? };
    // The numbers with the same semidominator, as linked lists.
    let (bucket, next_in_bucket) = (cursor, array()?);
    for number in 0..tree.end {
        forest.label.set(number, number as u32);
        forest.semi.set(number, number as u32);
        bucket.set(number, 0);
    }
    for number in (1..tree.end).rev() {
        if number & CHECK_INTERVAL == 0 {
            flow.in_time()?;
        }
        for index in predecessors.of(number) {
            let semi = forest.semi.get(forest.evaluate(predecessors.from.get(index)));
            if semi < forest.semi.get(number) {
                forest.semi.set(number, semi);
            }
        }
        let semi = forest.semi.get(number) as usize;
        next_in_bucket.set(number, bucket.get(semi));
        bucket.set(semi, number as u32);
        let above = parent.get(number);
        forest.link(above, number);
        let mut waiting = bucket.get(above as usize) as usize;
        bucket.set(above as usize, 0);
        while waiting != 0 {
            let label = forest.evaluate(waiting as u32);
            let is_lower = forest.semi.get(label) < forest.semi.get(waiting);
            tree.idom.set(waiting, if is_lower { label as u32 } else { above });
            waiting = next_in_bucket.get(waiting) as usize;
        }
    }
    for number in 1..tree.end {
        let idom = tree.idom.get(number);
        if idom != forest.semi.get(number) {
            tree.idom.set(number, tree.idom.get(idom as usize));
        }
    }
    predecessors.unmap();
    for array in [parent, cursor, next_in_bucket, forest.ancestor, forest.label, forest.semi] {
        array.unmap();
    }
    Ok(tree)
}

impl DominatorTree {
    /// Numbers all reachable nodes in depth-first order and counts the edges to each node.
    fn search(
        &mut self,
        flow: &impl Flow,
        [parent, cursor, in_degree]: [Array<u32>; 3],
    ) -> Result<(), Exhausted> {
        let count = |node: usize| in_degree.set(node, in_degree.get(node).saturating_add(1));
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
                    if here & CHECK_INTERVAL == 0 {
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

/// The predecessors of each number.
struct Predecessors {
    /// The index of a number's first predecessor. They end where those of the next number start.
    start: Array<u32>,
    from: Array<u32>,
}

impl Predecessors {
    /// Lists the predecessors, given the number of edges to each node.
    fn of_tree(
        flow: &impl Flow,
        tree: &DominatorTree,
        in_degree: Array<u32>,
    ) -> Result<Self, Exhausted> {
        let start = Array::<u32>::new(tree.end + 1).ok_or(Exhausted::Memory)?;
        let mut sum = 0_u32;
        for number in 1..tree.end {
            let more = in_degree.get(tree.node.get(number) as usize);
            // More edges than a `u32` counts.
            sum = sum.checked_add(more).ok_or(Exhausted::Memory)?;
            start.set(number, sum);
        }
        start.set(tree.end, sum);
        in_degree.unmap();
        let from = Array::<u32>::new(sum as usize).ok_or(Exhausted::Memory)?;
        // Fills each node's range from its end.
        each_edge(flow, tree, |leads, to| {
            let slot = start.get(to) - 1;
            start.set(to, slot);
            from.set(slot as usize, leads as u32);
        })?;
        Ok(Self { start, from })
    }

    fn of(&self, number: usize) -> std::ops::Range<usize> {
        self.start.get(number) as usize..self.start.get(number + 1) as usize
    }

    fn unmap(self) {
        self.start.unmap();
        self.from.unmap();
    }
}

/// Calls `each` with all edges, including those from the virtual root to entry nodes.
fn each_edge(
    flow: &impl Flow,
    tree: &DominatorTree,
    mut each: impl FnMut(usize, usize),
) -> Result<(), Exhausted> {
    for number in 1..tree.end {
        if number & CHECK_INTERVAL == 0 {
            flow.in_time()?;
        }
        let node = tree.node.get(number) as usize;
        if flow.is_entry(node) {
            each(0, number);
        }
        flow.successors(node, 0, |target| {
            each(number, tree.number.get(target) as usize);
            false
        });
    }
    Ok(())
}

/// A forest of processed numbers, with path compression.
struct Forest {
    /// The parent plus one, or 0 for the root of a tree.
    ancestor: Array<u32>,
    /// The number with the lowest semidominator on the compressed path.
    label: Array<u32>,
    /// The semidominator of each number.
    semi: Array<u32>,
}

impl Forest {
    fn link(&self, above: u32, number: usize) {
        self.ancestor.set(number, above + 1);
    }

    fn above(&self, number: usize) -> usize {
        self.ancestor.get(number) as usize - 1
    }

    /// The number with the lowest semidominator on the path from the root of its tree to `number`,
    /// without the root.
    fn evaluate(&self, number: u32) -> usize {
        let number = number as usize;
        if self.ancestor.get(number) == 0 {
            return number;
        }
        self.compress(number);
        self.label.get(number) as usize
    }

    /// Makes the root of the tree the parent of every number on the path to it.
    ///
    /// During the ascent, each parent is replaced by the child that the path came from, so the
    /// descent needs no stack.
    fn compress(&self, number: usize) {
        let mut below = 0;
        let mut here = number;
        while self.ancestor.get(self.above(here)) != 0 {
            let above = self.above(here);
            self.ancestor.set(here, below);
            below = here as u32 + 1;
            here = above;
        }
        let top = self.ancestor.get(here);
        while below != 0 {
            let next = below as usize - 1;
            below = self.ancestor.get(next);
            let (label, own) = (self.label.get(here), self.label.get(next));
            if self.semi.get(label as usize) < self.semi.get(own as usize) {
                self.label.set(next, label);
            }
            self.ancestor.set(next, top);
            here = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct TestGraph {
        successors: Vec<Vec<usize>>,
        entries: Vec<usize>,
    }

    impl Flow for TestGraph {
        fn nodes(&self) -> usize {
            self.successors.len()
        }

        fn is_entry(&self, node: usize) -> bool {
            self.entries.contains(&node)
        }

        fn successors(&self, node: usize, at: usize, mut each: impl FnMut(usize) -> bool) -> usize {
            for (slot, target) in self.successors[node].iter().enumerate().skip(at) {
                if each(*target) {
                    return slot + 1;
                }
            }
            self.successors[node].len()
        }

        fn in_time(&self) -> Result<(), Exhausted> {
            Ok(())
        }
    }

    impl TestGraph {
        /// The nodes that are reachable without passing through one node.
        fn reached_without(&self, out: Option<usize>) -> Vec<bool> {
            let mut reached = vec![false; self.successors.len()];
            let mut next = self.entries.clone();
            while let Some(node) = next.pop() {
                if Some(node) != out && !std::mem::replace(&mut reached[node], true) {
                    next.extend(&self.successors[node]);
                }
            }
            reached
        }

        /// All dominators of each node, by the definition.
        fn by_definition(&self) -> Vec<Vec<usize>> {
            let all = self.reached_without(None);
            let without: Vec<_> =
                (0..self.successors.len()).map(|out| self.reached_without(Some(out))).collect();
            let is_above =
                |out: usize, node: usize| all[node] && out != node && !without[out][node];
            let of = |node: usize| (0..all.len()).filter(|out| is_above(*out, node)).collect();
            (0..all.len()).map(of).collect()
        }

        fn by_algorithm(&self) -> Vec<Vec<usize>> {
            let tree = dominators(self).unwrap();
            let of = |node: usize| {
                let mut all = Vec::new();
                let mut number = tree.idom.get(tree.number.get(node) as usize) as usize;
                while number != 0 {
                    all.push(tree.node.get(number) as usize);
                    number = tree.idom.get(number) as usize;
                }
                all.sort_unstable();
                all
            };
            (0..self.successors.len()).map(of).collect()
        }
    }

    #[test]
    fn a_node_on_two_paths_is_dominated_by_neither() {
        let graph = TestGraph {
            successors: vec![vec![1, 2], vec![3], vec![3], vec![4], vec![]],
            entries: vec![0],
        };
        assert_eq!(graph.by_algorithm(), [vec![], vec![0], vec![0], vec![0], vec![0, 3]]);
    }

    #[test]
    fn random_graphs_have_the_dominators_of_the_definition() {
        let mut state = 7_u64;
        let mut below = |end: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % end
        };
        for _ in 0..3000 {
            let nodes = 1 + below(24);
            let edges = below(3) + 1;
            let successors =
                (0..nodes).map(|_| (0..below(edges + 1)).map(|_| below(nodes)).collect()).collect();
            let entries = (0..1 + below(3)).map(|_| below(nodes)).collect();
            let graph = TestGraph { successors, entries };
            assert_eq!(graph.by_algorithm(), graph.by_definition(), "{:?}", graph.successors);
        }
    }

    #[test]
    fn long_lists_take_neither_stack_nor_quadratic_time() {
        // Two lists whose nodes point to the same items, so no list node dominates an item.
        let length = if cfg!(miri) { 300 } else { 100_000 };
        let list = |number: usize| 3 * number;
        let mut successors = vec![Vec::new(); 3 * length];
        for number in 0..length {
            for side in [0, 1] {
                successors[list(number) + side].push(list(number) + 2);
                if number + 1 < length {
                    successors[list(number) + side].push(list(number + 1) + side);
                }
            }
        }
        let tree = dominators(&TestGraph { successors, entries: vec![0, 1] }).unwrap();
        for number in 0..length {
            assert_eq!(tree.idom.get(tree.number.get(list(number) + 2) as usize), 0);
        }
        let last = tree.number.get(list(length - 1)) as usize;
        let before = tree.number.get(list(length - 2));
        assert_eq!(tree.idom.get(last), before);
    }
}
