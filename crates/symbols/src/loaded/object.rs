//! A program or a library as a source of names: the file that was loaded, and the ones that its
//! debug information was put into.

#[allow(unsafe_code, reason = "borrows from files that the object keeps")]
pub mod types;

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use addr2line::gimli::{self, DwarfPackage, EndianSlice, NativeEndian, SectionId};
use addr2line::{Context, FunctionName, LookupContinuation, LookupResult, SplitDwarfLoad};

use super::elf::{Elf, Symbol};
use super::file::Files;
use crate::call::Call;

/// Where distributions put debug information.
const DEBUG_FILES: &str = "/usr/lib/debug";

type Slice<'a> = EndianSlice<'a, NativeEndian>;
type Dwarf<'a> = gimli::Dwarf<Slice<'a>>;

/// A file that code was loaded from, open.
pub(super) struct Object {
    loaded: Elf<'static>,
    /// The file that has the debug information: the same or another one.
    debug: Elf<'static>,
    context: Option<Context<Slice<'static>>>,
    split_off: SplitOff<'static>,
    /// What all the above borrows from. Fields are dropped in their order.
    _files: Arc<Files>,
}

impl Object {
    pub(super) fn open(path: &Path) -> Option<Self> {
        let owned = Arc::<Files>::default();
        // SAFETY: the files stay where they are and are there until all else of the object is
        // dropped. Nothing that borrows from them is given away: what is said of calls is a copy.
        let files: &'static Files = unsafe { &*Arc::as_ptr(&owned) };
        let loaded = files.map(path).and_then(Elf::parse)?;
        let beside =
            if loaded.has_debug_information() { None } else { debug_file(&loaded, path, files) };
        let (debug_path, debug) = beside.unwrap_or_else(|| (path.to_owned(), loaded));
        let context =
            if debug.has_debug_information() { context(&debug, &debug_path, files) } else { None };
        let split_off = SplitOff::new(path, files);
        Some(Self { loaded, debug, context, split_off, _files: owned })
    }

    /// The calls at each of these places in the file, the innermost first.
    pub(super) fn calls(&self, offsets: &[u64]) -> Vec<Vec<Call>> {
        let mut calls = vec![Vec::new(); offsets.len()];
        let places = offsets.iter().zip(&mut calls);
        let mut places: Vec<Place<'_>> = places
            .filter_map(|(offset, calls)| {
                Some(Place { address: self.loaded.address_of(*offset)?, calls })
            })
            .collect();
        if let Some(context) = &self.context {
            for place in &mut places {
                *place.calls = calls_at(context, place.address, &self.split_off);
            }
        }
        // Debug information that is line tables only has lost the paths of functions. The symbol
        // table has that of the last one, which the others were inlined into.
        places.retain(|place| !place.calls.last().is_some_and(Call::has_path));
        let with_symbols = [self.debug, self.loaded].into_iter().find(Elf::has_all_symbols);
        name_by_symbols(&with_symbols.unwrap_or(self.loaded), &mut places);
        calls
    }
}

/// An address as the file states it, and what is known of the calls there.
struct Place<'c> {
    address: u64,
    calls: &'c mut Vec<Call>,
}

fn context<'a>(elf: &Elf<'a>, path: &Path, files: &'a Files) -> Option<Context<Slice<'a>>> {
    let mut dwarf = sections(elf, files, SectionId::name);
    if let Some(supplement) = supplement(elf, path, files) {
        dwarf.set_sup(sections(&supplement, files, SectionId::name));
    }
    Context::from_dwarf(dwarf).ok()
}

fn calls_at<'a>(context: &Context<Slice<'a>>, address: u64, split_off: &SplitOff<'a>) -> Vec<Call> {
    let mut found = context.find_frames(address);
    let frames = loop {
        match found {
            LookupResult::Output(frames) => break frames,
            LookupResult::Load { load, continuation } => {
                found = continuation.resume(split_off.load(&load));
            }
        }
    };
    let mut calls = Vec::new();
    let Ok(mut frames) = frames else { return calls };
    while let Ok(Some(frame)) = frames.next() {
        let name = |name: &FunctionName<_>| Some(demangled(name.raw_name().ok()?.as_bytes()));
        let (file, line) = frame.location.map_or((None, None), |at| (at.file, at.line));
        calls.push(Call {
            function: frame.function.as_ref().and_then(name),
            file: file.map(PathBuf::from),
            line,
        });
    }
    calls
}

fn name_by_symbols(elf: &Elf<'_>, places: &mut [Place<'_>]) {
    if places.is_empty() {
        return;
    }
    places.sort_unstable_by_key(|place| place.address);
    let addresses: Vec<u64> = places.iter().map(|place| place.address).collect();
    let mut found: Vec<Option<Symbol<'_>>> = vec![None; places.len()];
    for symbol in elf.functions() {
        let first = addresses.partition_point(|address| *address < symbol.start);
        let within = addresses[first..].iter().take_while(|address| **address < symbol.end);
        for found in found[first..].iter_mut().take(within.count()) {
            if found.is_none_or(|other| symbol.is_rather_than(&other)) {
                *found = Some(symbol);
            }
        }
    }
    for (place, symbol) in places.iter_mut().zip(found) {
        if let Some(symbol) = symbol {
            name_last(place.calls, demangled(symbol.name));
        }
    }
}

/// Gives the outermost function the name that the symbol table has for it, where that says more.
fn name_last(calls: &mut Vec<Call>, name: String) {
    match calls.last_mut() {
        None => calls.push(Call { function: Some(name), ..Call::default() }),
        Some(last) if last.function.is_none() || name.contains("::") => last.function = Some(name),
        Some(_) => {}
    }
}

/// A name as it is in the source. What is not mangled is left as it is.
fn demangled(name: &[u8]) -> String {
    format!("{:#}", rustc_demangle::demangle(&String::from_utf8_lossy(name)))
}

fn sections<'a>(
    elf: &Elf<'a>,
    files: &'a Files,
    name_of: impl Fn(SectionId) -> &'static str,
) -> Dwarf<'a> {
    let section = |id: SectionId| Ok::<_, ()>(section(elf, files, name_of(id)));
    Dwarf::load(section).unwrap_or_default()
}

fn section<'a>(elf: &Elf<'a>, files: &'a Files, name: &str) -> Slice<'a> {
    Slice::new(elf.section(name, files).unwrap_or_default(), NativeEndian)
}

/// Debug information that was split off its program, in files of its own or put together again in
/// one.
struct SplitOff<'a> {
    files: &'a Files,
    package: Option<DwarfPackage<Slice<'a>>>,
}

impl<'a> SplitOff<'a> {
    fn new(path: &Path, files: &'a Files) -> Self {
        let elf = files.read(&appended(path, ".dwp")).and_then(Elf::parse);
        let package = elf.and_then(|elf| {
            let section = |id: SectionId| {
                Ok(id.dwo_name().map_or_else(Slice::default, |name| section(&elf, files, name)))
            };
            DwarfPackage::load::<_, gimli::Error>(section, Slice::default()).ok()
        });
        Self { files, package }
    }

    fn load(&self, wanted: &SplitDwarfLoad<Slice<'a>>) -> Option<Arc<Dwarf<'a>>> {
        if let Some(package) = &self.package
            && let Ok(Some(found)) = package.find_cu(wanted.dwo_id, &wanted.parent)
        {
            return Some(Arc::new(found));
        }
        let folder = wanted.comp_dir.map_or(&[][..], |folder| folder.slice());
        let path = Path::new(OsStr::from_bytes(folder)).join(OsStr::from_bytes(&wanted.path?));
        let elf = Elf::parse(self.files.read(&path)?)?;
        let mut dwarf = sections(&elf, self.files, |id| id.dwo_name().unwrap_or_default());
        dwarf.make_dwo(&wanted.parent);
        Some(Arc::new(dwarf))
    }
}

/// The file that has the debug information of a stripped one, by the rules of gdb.
fn debug_file<'a>(elf: &Elf<'a>, path: &Path, files: &'a Files) -> Option<(PathBuf, Elf<'a>)> {
    let by_id = elf.build_id().map(by_build_id).into_iter();
    let by_name = elf.section(".gnu_debuglink", files).map(|link| by_link(link, path));
    let mut places = by_id.chain(by_name.into_iter().flatten());
    places.find_map(|path| {
        let elf = Elf::parse(files.read(&path)?)?;
        Some((path, elf))
    })
}

fn by_build_id(id: &[u8]) -> PathBuf {
    let mut name = String::from(".build-id/");
    for (index, byte) in id.iter().enumerate() {
        let separator = if index == 1 { "/" } else { "" };
        let _ = write!(name, "{separator}{byte:02x}");
    }
    name.push_str(".debug");
    Path::new(DEBUG_FILES).join(name)
}

/// The places where a file of the name that another one links to may be.
fn by_link(link: &[u8], path: &Path) -> Vec<PathBuf> {
    let Ok(path) = path.canonicalize() else { return Vec::new() };
    let folder = path.parent().unwrap_or(&path);
    let name = Path::new(OsStr::from_bytes(until_nul(link)));
    let in_system = Path::new(DEBUG_FILES).join(folder.strip_prefix("/").unwrap_or(folder));
    let places = [folder.join(name), folder.join(".debug").join(name), in_system.join(name)];
    places.into_iter().filter(|place| *place != path).collect()
}

/// What the debug information of several files has in common.
fn supplement<'a>(elf: &Elf<'a>, path: &Path, files: &'a Files) -> Option<Elf<'a>> {
    let link = elf.section(".gnu_debugaltlink", files)?;
    let name = until_nul(link);
    let id = link.get(name.len() + 1..)?;
    let beside = path.canonicalize().ok()?.parent()?.join(OsStr::from_bytes(name));
    let mut found = [beside, by_build_id(id)].into_iter().filter_map(|path| files.read(&path));
    found.find_map(|data| Elf::parse(data).filter(|elf| elf.build_id() == Some(id)))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn appended(path: &Path, end: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(end);
    path.into()
}
