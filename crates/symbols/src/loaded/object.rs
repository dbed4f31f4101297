//! A program or library as a source of names: the loaded file, and the files that contain its debug
//! information.

#[allow(unsafe_code, reason = "borrows from files that it owns")]
pub mod types;

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use addr2line::gimli::{self, DwarfPackage, EndianSlice, NativeEndian, SectionId};
use addr2line::{Context, FunctionName, LookupContinuation, LookupResult, SplitDwarfLoad};

use leakcheck_report::order;

use super::elf::{Elf, Symbol};
use super::file::Files;
use crate::call::Call;

/// The directory in which distributions install debug information.
const DEBUG_FILES: &str = "/usr/lib/debug";

type Slice<'a> = EndianSlice<'a, NativeEndian>;
type Dwarf<'a> = gimli::Dwarf<Slice<'a>>;
/// One type for all ways to load sections, because gimli's code is compiled for each.
type Loader<'l, 'a> = &'l mut dyn FnMut(SectionId) -> gimli::Result<Slice<'a>>;

/// An open file from which code was loaded.
pub(super) struct Object {
    loaded: Elf<'static>,
    /// The file that contains the debug information, which may be the loaded one.
    debug: Elf<'static>,
    context: Option<Context<Slice<'static>>>,
    split_dwarf: SplitDwarf<'static>,
    /// What all other fields borrow from. Fields are dropped in the order of their declaration.
    _files: Arc<Files>,
}

impl Object {
    pub(super) fn open(path: &Path) -> Option<Self> {
        let owned = Arc::<Files>::default();
        // SAFETY: the files are on the heap and outlive all other fields, which are dropped before
        // them. Nothing that borrows from them is returned, because calls own their strings.
        let files: &'static Files = unsafe { &*Arc::as_ptr(&owned) };
        let loaded = files.map(path).and_then(Elf::parse)?;
        let separate =
            if loaded.has_debug_information() { None } else { debug_file(&loaded, path, files) };
        let (debug_path, debug) = separate.unwrap_or_else(|| (path.to_owned(), loaded));
        let context =
            if debug.has_debug_information() { context(&debug, &debug_path, files) } else { None };
        let split_dwarf = SplitDwarf::new(path, files);
        Some(Self { loaded, debug, context, split_dwarf, _files: owned })
    }

    /// The calls at each offset in the file, innermost first.
    pub(super) fn calls(&self, offsets: &[u64]) -> Vec<Vec<Call>> {
        let mut calls = vec![Vec::new(); offsets.len()];
        let mut lookups: Vec<Lookup<'_>> = offsets
            .iter()
            .zip(&mut calls)
            .filter_map(|(offset, calls)| {
                Some(Lookup { address: self.loaded.address_of(*offset)?, calls })
            })
            .collect();
        if let Some(context) = &self.context {
            for lookup in &mut lookups {
                *lookup.calls = calls_at(context, lookup.address, &self.split_dwarf);
            }
        }
        // Line tables do not contain the paths of functions. The symbol table has the path of the
        // outermost one, into which the others were inlined.
        lookups.retain(|lookup| !lookup.calls.last().is_some_and(Call::has_path));
        let with_symbols = [self.debug, self.loaded].into_iter().find(Elf::has_all_symbols);
        name_by_symbols(&with_symbols.unwrap_or(self.loaded), &mut lookups);
        calls
    }
}

/// An address, as stated in the file, and the calls found there.
struct Lookup<'c> {
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

fn calls_at<'a>(
    context: &Context<Slice<'a>>,
    address: u64,
    split_dwarf: &SplitDwarf<'a>,
) -> Vec<Call> {
    let mut found = context.find_frames(address);
    let frames = loop {
        match found {
            LookupResult::Output(frames) => break frames,
            LookupResult::Load { load, continuation } => {
                found = continuation.resume(split_dwarf.load(&load));
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

fn name_by_symbols(elf: &Elf<'_>, lookups: &mut [Lookup<'_>]) {
    if lookups.is_empty() {
        return;
    }
    order::sort_by_key(lookups, |lookup| lookup.address);
    let addresses: Vec<u64> = lookups.iter().map(|lookup| lookup.address).collect();
    let mut found: Vec<Option<Symbol<'_>>> = vec![None; lookups.len()];
    for symbol in elf.functions() {
        let first = addresses.partition_point(|address| *address < symbol.start);
        let within = addresses[first..].iter().take_while(|address| **address < symbol.end);
        for found in found[first..].iter_mut().take(within.count()) {
            if found.is_none_or(|other| symbol.is_better_than(&other)) {
                *found = Some(symbol);
            }
        }
    }
    for (lookup, symbol) in lookups.iter_mut().zip(found) {
        if let Some(symbol) = symbol {
            name_last(lookup.calls, demangled(symbol.name));
        }
    }
}

/// Sets the name of the outermost function to the one in the symbol table, if that says more.
fn name_last(calls: &mut Vec<Call>, name: String) {
    match calls.last_mut() {
        None => calls.push(Call { function: Some(name), ..Call::default() }),
        Some(last) if last.function.is_none() || name.contains("::") => last.function = Some(name),
        Some(_) => {}
    }
}

/// Demangles a name, or returns it unchanged if it is not mangled.
fn demangled(name: &[u8]) -> String {
    format!("{:#}", rustc_demangle::demangle(&String::from_utf8_lossy(name)))
}

fn sections<'a>(
    elf: &Elf<'a>,
    files: &'a Files,
    name_of: fn(SectionId) -> &'static str,
) -> Dwarf<'a> {
    let load: Loader<'_, 'a> = &mut |id| Ok(section(elf, files, name_of(id)));
    Dwarf::load(load).unwrap_or_default()
}

fn section<'a>(elf: &Elf<'a>, files: &'a Files, name: &str) -> Slice<'a> {
    Slice::new(elf.section(name, files).unwrap_or_default(), NativeEndian)
}

/// Split debug information, in separate files or in one package.
struct SplitDwarf<'a> {
    files: &'a Files,
    package: Option<DwarfPackage<Slice<'a>>>,
}

impl<'a> SplitDwarf<'a> {
    fn new(path: &Path, files: &'a Files) -> Self {
        let elf = files.read(&appended(path, ".dwp")).and_then(Elf::parse);
        let package = elf.and_then(|elf| {
            let load: Loader<'_, 'a> = &mut |id| {
                Ok(id.dwo_name().map_or_else(Slice::default, |name| section(&elf, files, name)))
            };
            DwarfPackage::load(load, Slice::default()).ok()
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

/// Finds the file with the debug information of a stripped one, as gdb does.
fn debug_file<'a>(elf: &Elf<'a>, path: &Path, files: &'a Files) -> Option<(PathBuf, Elf<'a>)> {
    let by_id = elf.build_id().map(by_build_id).into_iter();
    let by_name = elf.section(".gnu_debuglink", files).map(|link| by_link(link, path));
    let mut paths = by_id.chain(by_name.into_iter().flatten());
    paths.find_map(|path| {
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

/// The paths at which the target of a debug link may be.
fn by_link(link: &[u8], path: &Path) -> Vec<PathBuf> {
    let Ok(path) = path.canonicalize() else { return Vec::new() };
    let folder = path.parent().unwrap_or(&path);
    let name = Path::new(OsStr::from_bytes(until_nul(link)));
    let in_system = Path::new(DEBUG_FILES).join(folder.strip_prefix("/").unwrap_or(folder));
    let paths = [folder.join(name), folder.join(".debug").join(name), in_system.join(name)];
    paths.into_iter().filter(|candidate| *candidate != path).collect()
}

/// Finds the file with the debug information that several files share.
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
