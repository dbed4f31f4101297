//! The table of call sites.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::{self, Write};

use super::frames::{Line, key, lines};
use super::holders::{self, Cycles};
use super::{WIDTH, blocks, growth, len};
use crate::amount::Amount;
use crate::call_site::CallSite;
use crate::format::{counted, share, size};
use crate::holder::Holder;
use crate::order;
use crate::repetition::Growing;
use crate::report::Report;
use crate::scope::Stacks;

/// Call sites that look the same to the reader, as one.
pub(super) struct Group {
    pub(super) amount: Amount,
    growth: Option<Growing>,
    pub(super) lines: Vec<Line>,
    holders: Vec<Holder>,
}

pub(super) fn write(out: &mut String, report: &Report, top: usize) -> fmt::Result {
    let groups = group(&report.call_sites);
    let siteless = siteless(report);
    if groups.is_empty() && siteless.blocks == 0 {
        return Ok(());
    }
    let total = report.call_sites.iter().map(|site| site.bytes).sum::<u64>()
        + report.omitted.amount.bytes
        + siteless.bytes;
    let (shown, rest) = groups.split_at(top.min(groups.len()));
    let rest_bytes =
        rest.iter().map(|group| group.amount.bytes).sum::<u64>() + report.omitted.amount.bytes;
    let columns = Columns::of(shown, rest_bytes.max(siteless.bytes), total);
    let indent = if shown.is_empty() { 2 } else { columns.size_at() };
    let width = columns.size;
    let batches = report.repetition.as_ref().map_or(&[][..], |it| &it.batches);
    let mut cycles = Cycles::default();
    for (index, group) in shown.iter().enumerate() {
        columns.write(out, index + 1, group)?;
        let site = (index + 1, group.amount.bytes);
        holders::write(out, columns.size_at(), site, &group.holders, &mut cycles)?;
        if let Some(growth) = &group.growth {
            growth::write(out, columns.size_at(), growth, batches)?;
        }
    }
    let rest_sites = rest.len() as u64 + report.omitted.call_sites;
    if rest_sites > 0 {
        let sites = counted(rest_sites, "more call site");
        writeln!(out, "{:indent$}{:>width$} in {sites}", "", size(rest_bytes))?;
    }
    if siteless.blocks > 0 {
        let (bytes, blocks) = (size(siteless.bytes), blocks(siteless.blocks));
        let why = match report.call_stacks {
            Stacks::Sampled => ", none sampled",
            _ => " with unknown call sites",
        };
        writeln!(out, "{:indent$}{bytes:>width$} in {blocks}{why}", "")?;
    }
    writeln!(out)
}

/// What has no call site, unless nothing has.
fn siteless(report: &Report) -> Amount {
    match report.call_stacks {
        Stacks::Off => Amount::default(),
        Stacks::Full | Stacks::Sampled => report.siteless,
    }
}

/// The widths of the columns, so that everything stands in line.
struct Columns {
    total: u64,
    number: usize,
    size: usize,
    share: usize,
    blocks: usize,
    function: usize,
}

impl Columns {
    fn of(groups: &[Group], rest_bytes: u64, total: u64) -> Self {
        let widest = |text: &dyn Fn(&Group) -> String| {
            groups.iter().map(|group| len(&text(group))).max().unwrap_or(0)
        };
        let mut columns = Self {
            total,
            number: groups.len().to_string().len() + 1,
            size: widest(&|group| size(group.amount.bytes)).max(len(&size(rest_bytes))),
            share: widest(&|group| share(group.amount.bytes, total)),
            blocks: widest(&|group| blocks(group.amount.blocks)),
            function: 0,
        };
        let lines = || groups.iter().flat_map(|group| &group.lines);
        let place = lines().map(|(_, place)| len(place)).max().unwrap_or(0);
        let room = WIDTH.saturating_sub(columns.function_at() + 3 + place);
        columns.function = lines()
            .map(|(function, _)| len(function))
            .filter(|len| *len <= room)
            .max()
            .unwrap_or(0);
        columns
    }

    fn size_at(&self) -> usize {
        2 + self.number + 2
    }

    fn function_at(&self) -> usize {
        self.size_at() + self.size + 2 + self.share + 2 + self.blocks + 2
    }

    fn write(&self, out: &mut String, number: usize, group: &Group) -> fmt::Result {
        write!(
            out,
            "  {:>number_width$}  {:>size_width$}  {:>share_width$}  {:>blocks_width$}  ",
            format!("{number}."),
            size(group.amount.bytes),
            share(group.amount.bytes, self.total),
            blocks(group.amount.blocks),
            number_width = self.number,
            size_width = self.size,
            share_width = self.share,
            blocks_width = self.blocks,
        )?;
        for (index, (function, place)) in group.lines.iter().enumerate() {
            let indent = if index == 0 { 0 } else { self.function_at() };
            let line = format!("{:indent$}{function:<width$}   {place}", "", width = self.function);
            if len(function) <= self.function || place.is_empty() {
                writeln!(out, "{}", line.trim_end())?;
            } else {
                // A name that leaves no room for the place has it on a line of its own.
                writeln!(out, "{:indent$}{function}", "")?;
                writeln!(out, "{:indent$}  {place}", "", indent = self.function_at())?;
            }
        }
        Ok(())
    }
}

pub(super) fn group(call_sites: &[CallSite]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<Vec<Line>, usize> = HashMap::new();
    let all_bytes = call_sites.iter().map(|site| site.bytes).sum();
    for site in call_sites {
        let lines = lines(&site.frames, site.omitted_frames);
        let index = *known.entry(key(&site.frames, &lines)).or_insert_with(|| {
            groups.push(Group {
                amount: Amount::default(),
                growth: None,
                lines,
                holders: Vec::new(),
            });
            groups.len() - 1
        });
        groups[index].amount += Amount { bytes: site.bytes, blocks: site.blocks };
        Growing::join(&mut groups[index].growth, site.growth.as_ref());
        holders::add(&mut groups[index].holders, &site.holders, all_bytes);
    }
    let leaks = |group: &Group| group.growth.as_ref().is_some_and(Growing::is_leak);
    // Blocks that only other leaked blocks keep alive are freed with those.
    let is_cause = |group: &Group| !holders::are_consequences(&group.holders);
    order::sort_by_key(&mut groups, |group| {
        Reverse((leaks(group), is_cause(group), group.amount.bytes))
    });
    groups
}
