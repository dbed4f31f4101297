//! The call sites of a leak as a table lists them: those that read the same are one.

use serde_json::Value;

use crate::model::{Run, Site};

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) bytes: u64,
    pub(super) blocks: u64,
    pub(super) name: String,
    pub(super) place: String,
    pub(super) known: bool,
    pub(super) per_call: Option<i64>,
    /// What keeps most of it, in words.
    pub(super) holder: Option<String>,
    /// How much that is.
    held: u64,
}

/// New leaks first; among them the order of the report, where what leaks call after call comes first.
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
    let figure = |holder: &Value| holder["retained_bytes"].as_u64().unwrap_or(0);
    let holder = site.holders.iter().max_by_key(|holder| figure(holder));
    Row {
        bytes: site.bytes,
        blocks: site.blocks,
        name,
        place,
        known: site.known,
        per_call: site.per_call(),
        holder: holder.and_then(words),
        held: holder.map_or(0, figure),
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

/// Who holds it, without the way from there.
fn words(holder: &Value) -> Option<String> {
    let path = holder["path"].as_str()?;
    let first = path.split(" → ").next().unwrap_or(path);
    match holder["class"].as_str()? {
        "held_by_static" | "held_by_thread_local" | "held_by_thread" => {
            Some(format!("held by {first}"))
        }
        "possibly_held" => Some(format!("possibly held by {first}")),
        "lost" | "lost_in_a_cycle" | "indirectly_lost" => Some(cut(&format!("lost: {path}"))),
        _ => None,
    }
}

/// The most letters of a holder; a cycle of many blocks has hundreds.
const MOST: usize = 100;

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Frame, FrameIn, Interner, Meta};

    #[test]
    fn call_sites_that_read_the_same_are_one_with_the_holder_of_most() {
        let mut run = Run::new(Meta::default());
        let mut interner = Interner::default();
        let frame = |function: &str| Frame {
            function: Some(function.to_owned()),
            file: Some("src/cache.rs".to_owned()),
            line: Some(12),
            ..Frame::default()
        };
        let mut site = |function: &str, bytes: u64, path: &str| Site {
            bytes,
            blocks: 1,
            stack: interner.stack(&mut run, [FrameIn::from(&frame(function))].into_iter()),
            holders: vec![
                json!({ "class": "held_by_static", "path": path, "retained_bytes": bytes }),
            ],
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
        assert_eq!(rows[0].holder.as_deref(), Some("held by static app::CACHE"));
        assert_eq!(rows[1].name, "app::other");
    }
}
