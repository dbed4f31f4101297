//! A hash tree that finds call sites by the hash of their stack.
//!
//! The tree is lock-free and only grows. A slot is empty, contains a site, or points to a node of
//! sixteen further slots. If a new site meets an occupied slot, the occupant moves into a new node.
//! A slot changes from empty to a site and from a site to a node, never back, so a reader with a
//! stale value still finds the site one level further down.

use std::sync::atomic::{AtomicU32, Ordering};

use leakcheck_system::arena::{Arena, Zeroed};

use super::{Site, SiteId};

/// 0, the id of a site, or the index of a node with [`NODE`] set.
type TreeSlot = AtomicU32;

const NODE: u32 = 1 << 31;
const _: () = assert!(super::MAX_SITES < NODE);

/// The number of upper bits of a hash that select the root slot.
const ROOT_BITS: u32 = 12;
/// The number of further bits that select a slot of a node.
const NODE_BITS: u32 = 4;

struct Node([TreeSlot; 1 << NODE_BITS]);

// SAFETY: the slots are atomic integers, for which zero is valid and which need no drop.
unsafe impl Zeroed for Node {}

static ROOT: [TreeSlot; 1 << ROOT_BITS] = [const { AtomicU32::new(0) }; 1 << ROOT_BITS];
static NODES: Arena<Node> = Arena::new(6);

/// Returns the site with this hash that `is_match` accepts, otherwise the result of `create`, which
/// is called at most once. Returns `None` if memory is exhausted.
pub(super) fn find_or_add(
    hash: u64,
    is_match: impl Fn(&Site) -> bool,
    create: impl FnOnce() -> Option<SiteId>,
) -> Option<SiteId> {
    let mut create = Some(create);
    let mut created = None;
    let mut slot = &ROOT[(hash >> (u64::BITS - ROOT_BITS)) as usize];
    let mut used_bits = ROOT_BITS;
    loop {
        let value = slot.load(Ordering::Acquire);
        if value & NODE != 0 {
            slot = node_slot(value & !NODE, hash, used_bits)?;
            used_bits += NODE_BITS;
        } else if value == 0 {
            let id = created.or_else(|| create.take()?())?;
            created = Some(id);
            if replace(slot, 0, id) {
                return Some(id);
            }
        } else {
            let site = super::get(value)?;
            if site.hash() != hash {
                move_down(slot, value, site.hash(), used_bits)?;
            } else if is_match(site) {
                return Some(value);
            } else {
                // Sites with the same hash form a list.
                slot = site.next();
            }
        }
    }
}

fn replace(slot: &TreeSlot, from: u32, to: u32) -> bool {
    slot.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// Returns the slot of a node for a hash of which `used_bits` bits have been used.
fn node_slot(node: u32, hash: u64, used_bits: u32) -> Option<&'static TreeSlot> {
    let shift = u64::BITS - NODE_BITS - used_bits;
    NODES.get(node)?.0.get((hash >> shift) as usize & ((1 << NODE_BITS) - 1))
}

/// Replaces a site by a node that contains it. If another thread does so first, the node stays
/// unused.
fn move_down(slot: &TreeSlot, id: SiteId, hash: u64, used_bits: u32) -> Option<()> {
    let node = NODES.push()?;
    node_slot(node, hash, used_bits)?.store(id, Ordering::Relaxed);
    replace(slot, id, node | NODE);
    Some(())
}
