//! The format of DHAT's viewer, version 2. It contains retained memory, but no lifetimes of blocks.

use std::collections::BTreeMap;
use std::io::Write;

use leakcheck_report::Frame;
use serde::Serialize;

use super::rendered::Rendered;
use crate::model::Run;

#[derive(Serialize)]
struct File {
    #[serde(rename = "dhatFileVersion")]
    version: u32,
    mode: &'static str,
    verb: &'static str,
    /// Whether lifetimes of blocks and accesses to them were recorded.
    bklt: bool,
    bkacc: bool,
    tu: &'static str,
    #[serde(rename = "Mtu")]
    mtu: &'static str,
    cmd: String,
    pid: u32,
    te: u64,
    pps: Vec<Point>,
    ftbl: Vec<String>,
}

/// A program point: bytes, blocks and the indices of its frames in the table.
#[derive(Serialize)]
struct Point {
    tb: u64,
    tbk: u64,
    fs: Vec<usize>,
}

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    let mut table = vec!["[root]".to_owned()];
    table.extend(run.frames.iter().map(line));
    let mut points = Vec::new();
    for test in &run.tests {
        if test.sites().is_empty() {
            continue;
        }
        table.push(format!("test {}", test.id()));
        let root = table.len() - 1;
        // The viewer refuses a file in which two points have the same frames.
        let mut of_test: BTreeMap<u32, usize> = BTreeMap::new();
        for site in test.sites() {
            let place = *of_test.entry(site.stack).or_insert_with(|| {
                let frames = run.frame_indices(site.stack).map(|frame| frame as usize + 1);
                points.push(Point { tb: 0, tbk: 0, fs: frames.chain([root]).collect() });
                points.len() - 1
            });
            points[place].tb += site.bytes;
            points[place].tbk += site.blocks;
        }
    }
    let file = File {
        version: 2,
        mode: "rust-heap",
        verb: "Retained",
        bklt: false,
        bkacc: false,
        tu: "µs",
        mtu: "s",
        cmd: format!("cargo leakcheck ({})", run.meta.runner),
        pid: 0,
        te: (run.meta.seconds * 1e6) as u64,
        pps: points,
        ftbl: table,
    };
    serde_json::to_writer(out, &file)?;
    Ok(())
}

fn line(frame: &Frame) -> String {
    let place = frame.place().map(|place| format!(" ({place})")).unwrap_or_default();
    format!("{}{place}", frame.name())
}
