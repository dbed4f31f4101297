//! Finds call sites by the hash of their stack.
//!
//! A hash tree that is only ever added to, without a lock: a place holds nothing, a site, or a node with sixteen
//! places more. A site that comes where another one is takes the other one along into a new node, one step
//! down. Places change from nothing to a site and from a site to a node, and never back, so that whoever reads an
//! old value finds the same site one step further down.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Site, SiteId};
use leakcheck_system::arena::{Arena, Zeroed};

/// Nothing, the id of a site, or with [`NODE`] the index of a node.
type Place = AtomicU32;

const NODE: u32 = 1 << 31;
const _: () = assert!(super::MOST_SITES < NODE);

/// The upper bits of a hash choose the first place.
const ROOT_BITS: u32 = 12;
/// Further bits choose one of a node.
const NODE_BITS: u32 = 4;

struct Node([Place; 1 << NODE_BITS]);

// SAFETY: the places are atomic integers.
unsafe impl Zeroed for Node {}

static ROOT: [Place; 1 << ROOT_BITS] = [const { AtomicU32::new(0) }; 1 << ROOT_BITS];
static NODES: Arena<Node> = Arena::new(6);

/// The site with a hash that `is_it`, else the one that `make` makes, which is asked at most once. `None` when
/// memory is used up.
pub(super) fn find_or_add(
    hash: u64,
    is_it: impl Fn(&Site) -> bool,
    make: impl FnOnce() -> Option<SiteId>,
) -> Option<SiteId> {
    let mut make = Some(make);
    let mut made = None;
    let mut place = &ROOT[(hash >> (u64::BITS - ROOT_BITS)) as usize];
    let mut used = ROOT_BITS;
    loop {
        let held = place.load(Ordering::Acquire);
        if held & NODE != 0 {
            place = place_in(held & !NODE, hash, used)?;
            used += NODE_BITS;
        } else if held == 0 {
            let id = made.or_else(|| make.take()?())?;
            made = Some(id);
            if swap(place, 0, id) {
                return Some(id);
            }
        } else {
            let site = super::get(held)?;
            if site.hash() != hash {
                move_down(place, held, site.hash(), used)?;
            } else if is_it(site) {
                return Some(held);
            } else {
                // The same hash for another stack.
                place = site.next();
            }
        }
    }
}

fn swap(place: &Place, from: u32, to: u32) -> bool {
    place.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

fn place_in(node: u32, hash: u64, used: u32) -> Option<&'static Place> {
    let shift = u64::BITS - NODE_BITS - used;
    NODES.get(node)?.0.get((hash >> shift) as usize & ((1 << NODE_BITS) - 1))
}

/// Puts a node in the place of a site, with the site in it. Another thread may be faster; then the node stays
/// unused.
fn move_down(place: &Place, id: SiteId, hash: u64, used: u32) -> Option<()> {
    let node = NODES.push()?;
    place_in(node, hash, used)?.store(id, Ordering::Relaxed);
    swap(place, id, node | NODE);
    Some(())
}
