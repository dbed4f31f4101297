//! Circles of imports.

use std::collections::{BTreeMap, BTreeSet};

use super::{Edge, ModulePath};

/// The strongly connected components of more than one module, with the imports inside them.
pub fn circles(edges: &[Edge]) -> Vec<(BTreeSet<ModulePath>, Vec<Edge>)> {
    let mut leads_to: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = BTreeMap::new();
    for edge in edges {
        leads_to.entry(&edge.from).or_default().insert(&edge.to);
    }
    let reached: BTreeMap<_, _> =
        leads_to.keys().map(|from| (*from, all_from(from, &leads_to))).collect();
    let reaches = |from, to| reached.get(from).is_some_and(|all| all.contains(to));
    let mut found: Vec<(BTreeSet<ModulePath>, Vec<Edge>)> = Vec::new();
    for module in leads_to.keys() {
        let is_known = found.iter().any(|(members, _)| members.contains(*module));
        if is_known || !reaches(module, *module) {
            continue;
        }
        let others = reached[module].iter().filter(|other| reaches(other, *module));
        let members: BTreeSet<ModulePath> = others.map(|other| (*other).clone()).collect();
        let is_inside = |edge: &&Edge| members.contains(&edge.from) && members.contains(&edge.to);
        let inside = edges.iter().filter(is_inside).cloned().collect();
        found.push((members, inside));
    }
    found
}

fn all_from<'a>(
    from: &'a ModulePath,
    leads_to: &BTreeMap<&'a ModulePath, BTreeSet<&'a ModulePath>>,
) -> BTreeSet<&'a ModulePath> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for next in leads_to.get(module).into_iter().flatten() {
            if reached.insert(*next) {
                open.push(next);
            }
        }
    }
    reached
}
