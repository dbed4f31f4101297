//! The call sites of a leak in the table. Call sites that look the same are merged.

use leakcheck_report::{Holder, reference_path};

use crate::model::{Run, Site};

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) bytes: u64,
    pub(super) blocks: u64,
    pub(super) name: String,
    pub(super) place: String,
    pub(super) known: bool,
    pub(super) per_call: Option<i64>,
    /// What keeps most of it alive, in words.
    pub(super) holder: Option<String>,
    /// How many bytes that is.
    held: u64,
}

/// New leaks come first. Otherwise the order is that of the report, in which growth per call comes
/// first.
pub(super) fn of(run: &Run, sites: &[Site]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for site in sites {
        let row = row(run, site);
        let same = |known: &&mut Row| {
            (&known.name, &known.place, known.known) == (&row.name, &row.place, row.known)
        };
        match rows.iter_mut().find(same) {
            Some(known) => known.add(row),
            None => rows.push(row),
        }
    }
    rows.sort_by_key(|row| row.known);
    rows
}

fn row(run: &Run, site: &Site) -> Row {
    let (name, place) = run.allocated_at(site.stack);
    let holder = site.holders.iter().max_by_key(|holder| holder.retained_bytes);
    Row {
        bytes: site.bytes,
        blocks: site.blocks,
        name,
        place,
        known: site.known,
        per_call: site.per_call(),
        holder: holder.map(words),
        held: holder.map_or(0, |holder| holder.retained_bytes),
    }
}

impl Row {
    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.blocks += other.blocks;
        self.per_call = match (self.per_call, other.per_call) {
            (Some(one), Some(another)) => Some(one + another),
            (one, another) => one.or(another),
        };
        if other.held > self.held {
            (self.holder, self.held) = (other.holder, other.held);
        }
    }
}

/// The start of the reference path, or why there is none.
fn words(holder: &Holder) -> String {
    let label = reference_path::label(holder.class);
    if holder.class.is_lost() {
        return cut(&format!("{label}: {}", holder.path));
    }
    let root = holder.path.split(" → ").next().unwrap_or(&holder.path);
    format!("{label} {root}")
}

/// The maximum length of a reference path. The text for a cycle of many blocks has hundreds of letters.
const MOST: usize = 100;

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use leakcheck_report::{Amount, Class, Frame, Reachability};

    use super::*;
    use crate::model::{FrameIn, Interner, Meta};

    fn holder(bytes: u64, path: &str) -> Holder {
        let mut holder = Holder::new(Reachability::HeldByStatic, Amount { bytes, blocks: 1 });
        path.clone_into(&mut holder.path);
        holder
    }

    #[test]
    fn call_sites_that_read_the_same_are_one_with_the_holder_of_most() {
        let mut run = Run::new(Meta::default());
        let mut interner = Interner::default();
        let frame =
            |function: &str| Frame::of_function(function, Class::System).at("src/cache.rs", 12);
        let mut site = |function: &str, bytes: u64, path: &str| Site {
            bytes,
            blocks: 1,
            stack: interner.stack(&mut run, [FrameIn::from(&frame(function))].into_iter()),
            holders: vec![holder(bytes, path)],
            ..Site::default()
        };
        let sites = [
            site("app::insert", 100, "static app::CACHE → table → here"),
            site("app::insert::{closure}::{closure}", 20, "static app::INDEX → here"),
            site("app::other", 7, "static app::OTHER → here"),
        ];
        let rows = of(&run, &sites);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].bytes, rows[0].blocks), (120, 2));
        assert_eq!(rows[0].holder.as_deref(), Some("kept alive by static app::CACHE"));
        assert_eq!(rows[1].name, "app::other");
    }
}
