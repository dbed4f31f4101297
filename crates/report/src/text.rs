//! The text report: the message that a failing test shows.

mod growth;
mod holders;
mod resources;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::path::Path;

use crate::amount::{Allowed, Amount};
use crate::call_site::CallSite;
use crate::figure::Figure;
use crate::frame::{Class, Frame};
use crate::holder::{FoundBy, Holder};
use crate::limit::LimitSource;
use crate::repetition::Growing;
use crate::report::{Figures, Report, Suppressed, Symbols};
use crate::resource::UNNAMED;
use crate::scope::Stacks;
use crate::verdict::{Excess, Verdict};
use holders::Cycles;

pub use growth::undecided;

/// Reports fit into this many columns where names allow it.
const WIDTH: usize = 100;
/// The most frames of the user's code that a call site shows.
const MOST_FRAMES: usize = 6;
/// The most frames of other code that a call site shows.
const MOST_OTHER_FRAMES: usize = 3;
/// The most threads that are named.
const MOST_THREADS: usize = 10;
/// Blocks below this size are sampled with `LEAK_STACKS=sampled`.
pub const SAMPLED_BELOW: u64 = 64 << 10;
/// Unattributed growth below this is libtest at work.
const UNATTRIBUTED_NOISE: u64 = 64 << 10;

/// Where the full report is, or why there is none.
pub type Written<'a> = Result<&'a Path, &'a str>;

/// What a text needs to know besides the report.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// How many call sites are shown.
    pub top: u64,
    /// The root of the user's workspace: paths inside are shown relative to it.
    pub workspace: Option<&'a Path>,
    /// Where the full report is.
    pub written: Written<'a>,
}

impl Layout<'_> {
    /// A path as seen from the workspace, if it is inside.
    fn shown(self, path: &Path) -> String {
        let inside = self.workspace.and_then(|workspace| path.strip_prefix(workspace).ok());
        inside.unwrap_or(path).display().to_string()
    }
}

/// The report as text. Ends without a newline.
pub fn render(report: &Report, layout: Layout<'_>) -> String {
    let mut text = String::new();
    write_report(&mut text, report, layout).expect("a string takes all that is written");
    text.truncate(text.trim_end().len());
    text
}

fn write_report(out: &mut String, report: &Report, layout: Layout<'_>) -> fmt::Result {
    writeln!(out, "leakcheck: {}\n", headline(report))?;
    write_figures(out, report)?;
    growth::write_repetition(out, report)?;
    write_call_sites(out, report, usize::try_from(layout.top).unwrap_or(usize::MAX))?;
    write_holders_source(out, report)?;
    growth::write_sensitivity(out, report)?;
    write_threads(out, report)?;
    resources::write(out, report, layout)?;
    write_left_out(out, report)?;
    write_symbols(out, report)?;
    write_call_stacks(out, report)?;
    match layout.written {
        Ok(path) => writeln!(out, "  full report: {}", layout.shown(path))?,
        Err(why) => writeln!(out, "  full report: not written, {why}")?,
    }
    if let Some(command) = &report.decide {
        // In one piece, so that it can be copied.
        let fits = len(command) + 19 <= WIDTH;
        let gap = if fits { " " } else { "\n    " };
        writeln!(out, "  leak or warm-up?{gap}{command}")?;
    }
    writeln!(out, "  intended? {}", way_out(&report.verdict))
}

/// How the reference paths were found, or why there are none.
fn write_holders_source(out: &mut String, report: &Report) -> fmt::Result {
    match (&report.holders_unknown, report.holders_by) {
        (Some(why), _) => writeln!(out, "  who holds it: {why}"),
        (None, Some(FoundBy::Rerun)) => {
            writeln!(out, "  who holds it is from a second run of this test, by itself")
        }
        (None, _) => Ok(()),
    }
}

/// What to write when the memory, or the thread, is meant to stay. The attribute's first argument
/// is what would have let the figure pass that is over its limit.
fn way_out(verdict: &Verdict) -> String {
    let Verdict::Leaked { excesses } = verdict else { return String::new() };
    let Some(Excess { figure, limit, .. }) = excesses.first() else { return String::new() };
    let raise = match &limit.source {
        LimitSource::Variable { name } => format!("{name}=…, #[leak_check("),
        LimitSource::Argument { name } => format!("#[leak_check({name} = …)] or ("),
        LimitSource::Default { .. } | LimitSource::Setting { .. } => {
            "#[leak_check(threshold_mb = …)] or (".to_owned()
        }
    };
    if matches!(figure, Figure::BytesPerCall) {
        return "leakcheck::allow(\"why\", || …) or #[leak_check(skip = \"why\")]".to_owned();
    }
    let allow = match figure {
        Figure::Bytes | Figure::Blocks => "leakcheck::allow(\"why\", || …), ",
        _ => "",
    };
    let close = if raise.ends_with("#[leak_check(") { ")]" } else { ")" };
    format!("{allow}{raise}skip = \"why\"{close}")
}

/// The whole story in one line.
fn headline(report: &Report) -> String {
    let Verdict::Leaked { excesses } = &report.verdict else {
        return format!("`{}` {}", report.test.name, report.verdict);
    };
    let told: Vec<String> = excesses.iter().map(|it| excess(it, report)).collect();
    format!("`{}` {}", report.test.name, told.join("; "))
}

fn excess(Excess { figure, value, limit }: &Excess, report: &Report) -> String {
    let value = value.unsigned_abs();
    let source = &limit.source;
    match figure {
        Figure::Bytes => {
            format!("leaked {}, limit {} ({source})", exact(value), bound(limit.value))
        }
        Figure::PeakBytes => {
            format!("peaked at {}, limit {} ({source})", exact(value), bound(limit.value))
        }
        Figure::Blocks => {
            format!("leaked {}, limit {} ({source})", blocks(value), count(limit.value))
        }
        Figure::Threads => {
            let threads = counted(value, "thread", "threads");
            format!("left {threads} running, limit {} ({source})", count(limit.value))
        }
        Figure::Children => {
            let children = resources::children(value);
            format!("left {children} unwaited for, limit {} ({source})", count(limit.value))
        }
        Figure::CHeapBytes => format!(
            "left the C heap larger by {} at least, limit {} ({source})",
            exact(value),
            bound(limit.value)
        ),
        Figure::Fds => {
            let fds = resources::fds(value);
            format!("left {fds} open, limit {} ({source})", count(limit.value))
        }
        Figure::LostBytes => {
            format!("lost {}, limit {} ({source})", exact(value), bound(limit.value))
        }
        Figure::BytesPerCall => {
            let bytes = report.repetition.as_ref().map_or(value as f64, |it| it.bytes_per_call);
            format!("leaks {}{}", growth::per_call(bytes), growth::over_calls(report))
        }
        Figure::ThreadsPerCall => {
            let threads = counted(value, "thread", "threads");
            format!("leaves {threads} running per call{}", growth::over_calls(report))
        }
        Figure::CHeapBytesPerCall => {
            format!("leaves {} in the C heap per call{}", size(value), growth::over_calls(report))
        }
        Figure::ChildrenPerCall => {
            let children = resources::children(value);
            format!("leaves {children} unwaited for per call{}", growth::over_calls(report))
        }
        Figure::FdsPerCall => {
            format!("leaves {} open per call{}", resources::fds(value), growth::over_calls(report))
        }
    }
}

fn write_figures(out: &mut String, report: &Report) -> fmt::Result {
    let Some(figures) = &report.figures else { return Ok(()) };
    writeln!(
        out,
        "  retained {} in {} · released {} · peak {} · allocated {} in all\n",
        size(figures.retained.bytes),
        blocks(figures.retained.blocks),
        size(figures.released.bytes),
        size(figures.peak_bytes),
        blocks(figures.churn.blocks),
    )
}

/// Call sites that look the same to the reader, as one.
struct Group {
    amount: Amount,
    growth: Option<Growing>,
    lines: Vec<(String, String)>,
    holders: Vec<Holder>,
}

fn write_call_sites(out: &mut String, report: &Report, top: usize) -> fmt::Result {
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
        for line in group.growth.iter().flat_map(|it| growth::lines(it, batches)) {
            writeln!(out, "{:indent$}{line}", "")?;
        }
        let site = (index + 1, group.amount.bytes);
        holders::write(out, columns.size_at(), site, &group.holders, &mut cycles)?;
    }
    let rest_sites = rest.len() as u64 + report.omitted.call_sites;
    if rest_sites > 0 {
        let sites = counted(rest_sites, "more call site", "more call sites");
        writeln!(out, "{:indent$}{:>width$} in {sites}", "", size(rest_bytes))?;
    }
    if siteless.blocks > 0 {
        let (bytes, blocks) = (size(siteless.bytes), blocks(siteless.blocks));
        let why = if report.call_stacks == Stacks::Sampled {
            "of which none was sampled"
        } else {
            "whose call sites are not known"
        };
        writeln!(out, "{:indent$}{bytes:>width$} in {blocks} {why}", "")?;
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

fn group(call_sites: &[CallSite]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<Vec<(String, String)>, usize> = HashMap::new();
    let all_bytes = call_sites.iter().map(|site| site.bytes).sum();
    for site in call_sites {
        let lines = lines(&site.frames, site.omitted_frames);
        let index = *known.entry(look(&site.frames, &lines)).or_insert_with(|| {
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
    // What only hangs on other blocks goes with them.
    let stands = |group: &Group| !holders::all_hang(&group.holders);
    groups.sort_by_key(|group| Reverse((leaks(group), stands(group), group.amount.bytes)));
    groups
}

/// What makes two call sites the same to a reader: the lines, or, where no function has a name,
/// every address.
fn look(frames: &[Frame], lines: &[(String, String)]) -> Vec<(String, String)> {
    if is_named(frames) { lines.to_vec() } else { frames.iter().map(line).collect() }
}

fn is_named(frames: &[Frame]) -> bool {
    frames.is_empty() || frames.iter().any(|frame| frame.function.is_some())
}

/// What a call site shows: the user's own frames, then the dependency that allocated for them.
/// Where the user has no frame in it, the frames nearest to the allocation.
fn lines(frames: &[Frame], omitted: u64) -> Vec<(String, String)> {
    if !is_named(frames) {
        return shortened(frames.iter().map(line).collect(), 2 * MOST_FRAMES, omitted);
    }
    let user: Vec<&Frame> = frames.iter().filter(|frame| frame.class == Class::User).collect();
    let inner = frames.iter().take_while(|frame| frame.class != Class::User);
    let through: Vec<&Frame> =
        inner.filter(|frame| frame.class == Class::Dependency).take(MOST_OTHER_FRAMES).collect();
    if user.is_empty() {
        let nearest = if through.is_empty() {
            frames.iter().take(MOST_OTHER_FRAMES).collect()
        } else {
            through
        };
        return if nearest.is_empty() {
            vec![("call site not known".to_owned(), String::new())]
        } else {
            nearest.into_iter().map(line).collect()
        };
    }
    let mut lines: Vec<(String, String)> = user.iter().copied().map(line).collect();
    // A closure without a path says less than the function around it.
    lines.dedup_by(|next, line| {
        if line.0 == "{closure}" && line.1 == next.1 {
            line.0.clone_from(&next.0);
        }
        next == line
    });
    let mut lines = shortened(lines, MOST_FRAMES, omitted);
    lines.extend(
        through
            .into_iter()
            .map(line)
            .map(|(function, place)| (format!("through {function}"), place)),
    );
    lines
}

/// The two ends of a long stack, of which `omitted` frames are not there to begin with.
fn shortened(mut lines: Vec<(String, String)>, most: usize, omitted: u64) -> Vec<(String, String)> {
    let oldest = lines.len().saturating_sub(1);
    let left_out = if lines.len() > most { most - 1..oldest } else { oldest..oldest };
    let more = left_out.len() as u64 + omitted;
    if more > 0 {
        let more = counted(more, "more frame", "more frames");
        lines.splice(left_out, [(format!("… {more}"), String::new())]);
    }
    lines
}

fn line(frame: &Frame) -> (String, String) {
    (frame.short_name().into_owned(), frame.place().unwrap_or_default())
}

fn write_threads(out: &mut String, report: &Report) -> fmt::Result {
    if report.threads.is_empty() {
        return Ok(());
    }
    let mut named: Vec<(String, u64)> = Vec::new();
    for thread in &report.threads {
        let starter = thread.started_at.iter().find(|frame| frame.class == Class::User);
        let name = match thread.name.as_str() {
            UNNAMED => UNNAMED.to_owned(),
            name => format!("`{name}`"),
        };
        let text = match starter.and_then(Frame::place) {
            Some(place) => format!("{name}, started at {place}"),
            None => name,
        };
        match named.iter_mut().find(|(known, _)| *known == text) {
            Some((_, times)) => *times += 1,
            None => named.push((text, 1)),
        }
    }
    let names: Vec<String> = named
        .iter()
        .take(MOST_THREADS)
        .map(|(text, times)| if *times > 1 { format!("{times} × {text}") } else { text.clone() })
        .collect();
    let number = counted(report.threads.len() as u64, "thread", "threads");
    let rest: u64 = named.iter().skip(MOST_THREADS).map(|(_, times)| times).sum();
    let more = if rest == 0 { String::new() } else { format!("; and {rest} more") };
    writeln!(out, "  still running: {number} started here ({}{more})", names.join("; "))
}

fn write_left_out(out: &mut String, report: &Report) -> fmt::Result {
    for Allowed { why, amount } in report.allowed.iter().filter(|allowed| allowed.amount.blocks > 0)
    {
        writeln!(out, "  allowed: {} in {}: {why}", size(amount.bytes), blocks(amount.blocks))?;
    }
    for Suppressed { rule, why, amount, .. } in &report.suppressed {
        let why = match why {
            Some(why) => why.clone(),
            None => format!("`leak:{rule}` in LEAK_SUPPRESSIONS"),
        };
        writeln!(out, "  suppressed: {} in {}: {why}", size(amount.bytes), blocks(amount.blocks))?;
    }
    let Figures { unattributed, retained, .. } = report.figures.unwrap_or_default();
    // libtest's threads allocate a little between tests; a pool that works for the test allocates
    // in proportion.
    let noticed = (retained.bytes / 10).max(UNATTRIBUTED_NOISE);
    if unattributed.bytes.max(0).unsigned_abs() > noticed {
        let bytes = size(unattributed.bytes.unsigned_abs());
        writeln!(
            out,
            "  unattributed: {bytes}, allocated meanwhile by threads that belong to no check"
        )?;
    }
    Ok(())
}

fn write_symbols(out: &mut String, report: &Report) -> fmt::Result {
    match report.symbols {
        Symbols::Lines => Ok(()),
        Symbols::Functions => writeln!(
            out,
            "  no lines: built without debug information; the profile's `debug = \"line-tables-only\"` brings them"
        ),
        Symbols::Addresses => writeln!(
            out,
            "  no names, so that known noise counts too: the program was stripped; `strip = false` brings them"
        ),
    }
}

fn write_call_stacks(out: &mut String, report: &Report) -> fmt::Result {
    match report.call_stacks {
        Stacks::Full => Ok(()),
        Stacks::Sampled => {
            writeln!(
                out,
                "  call sites are estimated from a sample: LEAK_STACKS is `sampled`; totals are exact"
            )?;
            let large = size(SAMPLED_BELOW);
            writeln!(out, "  known noise counts too where its blocks are below {large}")
        }
        Stacks::Off => {
            writeln!(out, "  no call sites, so that known noise counts too: LEAK_STACKS is `off`")
        }
    }
}

/// A size in the unit that suits it.
pub fn size(bytes: u64) -> String {
    if bytes < 1024 {
        format!("{bytes} B")
    } else if bytes < 1 << 20 {
        // 1,048,575 bytes must not print as 1024.0 kB.
        format!("{:.1} kB", (bytes as f64 / 1024.0).min(1023.9))
    } else {
        let mb = format!("{:.2}", bytes as f64 / 1_048_576.0);
        let (whole, part) = mb.split_once('.').unwrap_or((&mb, "00"));
        format!("{}.{part} MB", grouped(whole))
    }
}

/// A limit: in a unit only where that is exact, so that it never reads like what is over it.
fn bound(bytes: u64) -> String {
    let unit = if bytes < 1 << 20 { 1 << 10 } else { 1 << 20 };
    if bytes < 1024 || bytes.is_multiple_of(unit) {
        size(bytes)
    } else {
        format!("{} bytes", count(bytes))
    }
}

/// A size with its bytes beside it.
fn exact(bytes: u64) -> String {
    if bytes < 1024 { size(bytes) } else { format!("{} ({} bytes)", size(bytes), count(bytes)) }
}

fn blocks(number: u64) -> String {
    counted(number, "block", "blocks")
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn share(bytes: u64, total: u64) -> String {
    format!("{:.1} %", if total == 0 { 0.0 } else { 100.0 * bytes as f64 / total as f64 })
}

/// The columns that a text takes.
fn len(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests;
