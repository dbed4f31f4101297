//! What debug information says of types: what a generic function was made for, what type a static
//! has, and which field of a type is where.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use addr2line::gimli::{
    self, AttributeValue, DebugInfoOffset, DwTag, Section, SectionId, UnitOffset,
};
use addr2line::{FunctionName, LookupResult};

use super::{Dwarf, Object, Slice, demangled, sections};

type Unit = gimli::Unit<Slice<'static>>;
type Entry = gimli::DebuggingInformationEntry<Slice<'static>>;

/// The types that a file's debug information knows.
pub struct Types {
    /// By the place of their headers.
    units: RefCell<HashMap<usize, Option<Known>>>,
    dwarf: Dwarf<'static>,
    // Dropped last: all else borrows from its files.
    object: Object,
}

/// A unit, and whose its types are.
struct Known {
    unit: Unit,
    /// Which of its types are not the standard library's, once somebody asks.
    foreign: Option<HashMap<usize, bool>>,
}

/// A type: the place of its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    unit: usize,
    entry: usize,
}

/// A function as it was made for types.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its path, without the types.
    pub path: String,
    /// Its last part, with the types.
    pub name: String,
    /// What its first parameter stands for.
    pub first: Option<Type>,
}

/// The most types in types that are followed.
const MOST_DEPTH: usize = 40;

impl Types {
    pub fn open(path: &Path) -> Option<Self> {
        let object = Object::open(path)?;
        object.context.as_ref()?;
        // SAFETY: as in `Object::open`: the files are kept by the object, which is dropped last.
        let files: &'static super::Files = unsafe { &*std::sync::Arc::as_ptr(&object._files) };
        let dwarf = sections(&object.debug, files, SectionId::name);
        Some(Self { units: RefCell::default(), dwarf, object })
    }

    /// The functions at an address of the file, the innermost first.
    pub fn functions(&self, address: u64) -> Vec<Function> {
        let Some(context) = &self.object.context else { return Vec::new() };
        let LookupResult::Output(Some(unit)) = context.find_dwarf_and_unit(address) else {
            return Vec::new();
        };
        let LookupResult::Output(Ok(mut frames)) = context.find_frames(address) else {
            return Vec::new();
        };
        let unit = unit.unit;
        let mut functions = Vec::new();
        let start = unit.header.offset().0;
        while let Ok(Some(frame)) = frames.next() {
            let name = |name: &FunctionName<_>| Some(demangled(name.raw_name().ok()?.as_bytes()));
            let mut function = Function {
                path: frame.function.as_ref().and_then(name).unwrap_or_default(),
                ..Function::default()
            };
            if let Some(die) = frame.dw_die_offset {
                self.describe(unit, start, die, &mut function);
            }
            functions.push(function);
        }
        functions
    }

    /// Fills in what a function's entry says, or the one that it was made of.
    fn describe(&self, unit: &Unit, start: usize, die: UnitOffset, function: &mut Function) {
        let Ok(entry) = unit.entry(die) else { return };
        for of in [gimli::DW_AT_abstract_origin, gimli::DW_AT_specification] {
            match entry.attr_value(of) {
                Some(AttributeValue::UnitRef(inner)) => self.describe(unit, start, inner, function),
                Some(AttributeValue::DebugInfoRef(place)) => {
                    self.with_unit_of(place.0, |unit, start| {
                        let inner = UnitOffset(place.0 - start);
                        self.describe(unit, start, inner, function);
                    });
                }
                _ => {}
            }
        }
        if let Some(name) = self.name(unit, &entry) {
            function.name = name;
        }
        let Ok(mut tree) = unit.entries_tree(Some(die)) else { return };
        let Ok(root) = tree.root() else { return };
        let mut children = root.children();
        while let Ok(Some(child)) = children.next() {
            let entry = child.entry();
            if entry.tag() == gimli::DW_TAG_template_type_parameter {
                let of = entry.attr_value(gimli::DW_AT_type);
                if let Some(AttributeValue::UnitRef(of)) = of {
                    function.first = Some(Type { unit: start, entry: of.0 });
                    return;
                }
            }
        }
    }

    fn name(&self, unit: &Unit, entry: &Entry) -> Option<String> {
        let value = entry.attr_value(gimli::DW_AT_name)?;
        let text = self.dwarf.attr_string(unit, value).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// The type of a static or thread-local, by its symbol.
    pub fn of_variable(&self, symbol: &str) -> Option<Type> {
        let mut places = self.mentions(symbol).into_iter().chain(self.newer_units());
        places.find_map(|place| {
            let mut found = None;
            self.with_unit_of(place, |unit, start| {
                let entry = self.variable_in(unit, symbol);
                found = entry.map(|entry| Type { unit: start, entry: entry.0 });
            });
            found
        })
    }

    /// Where in the description of all units a symbol may be named: as an offset into the strings,
    /// of which there is one for each text. Units are not told by their crates, as an incremental
    /// build calls them by numbers; and to go through all of them takes seconds.
    fn mentions(&self, symbol: &str) -> Vec<usize> {
        let strings = self.dwarf.debug_str.reader().slice();
        let mut text = symbol.as_bytes().to_vec();
        text.push(0);
        let Some(at) = find(strings, &text) else { return Vec::new() };
        let Ok(at) = u32::try_from(at) else { return Vec::new() };
        let (info, at) = (self.dwarf.debug_info.reader().slice(), at.to_ne_bytes());
        let mut places = Vec::new();
        let mut from = 0;
        while let Some(place) = find(&info[from..], &at) {
            places.push(from + place);
            from += place + at.len();
        }
        places
    }

    /// Units of versions that name strings by other numbers.
    fn newer_units(&self) -> Vec<usize> {
        let mut newer = Vec::new();
        let mut headers = self.dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            if header.version() > 4 {
                newer.push(header.offset().0);
            }
        }
        newer
    }

    fn variable_in(&self, unit: &Unit, symbol: &str) -> Option<UnitOffset> {
        let mut entries = unit.entries();
        while let Ok(Some(entry)) = entries.next_dfs() {
            if entry.tag() != gimli::DW_TAG_variable {
                continue;
            }
            let Some(value) = entry.attr_value(gimli::DW_AT_linkage_name) else { continue };
            let Ok(text) = self.dwarf.attr_string(unit, value) else { continue };
            if text.slice() == symbol.as_bytes()
                && let Some(AttributeValue::UnitRef(of)) = entry.attr_value(gimli::DW_AT_type)
            {
                return Some(of);
            }
        }
        None
    }

    /// The fields that lead to a byte of a type, without those of the standard library's types.
    pub fn fields_at(&self, of: Type, offset: u64) -> Vec<String> {
        let mut fields = Vec::new();
        self.with_known(of.unit, |known| {
            known.foreign.get_or_insert_with(|| foreign(&self.dwarf, &known.unit));
            let (unit, foreign) = (&known.unit, known.foreign.as_ref());
            let mut walk = Walk { types: self, unit, foreign, fields: &mut fields };
            walk.go(UnitOffset(of.entry), offset, MOST_DEPTH);
        });
        fields
    }

    /// Whether a pointer may be at a byte of a type: not in a gap between fields, where anything
    /// may be left, nor over a field that is smaller.
    pub fn may_point(&self, of: Type, offset: u64) -> bool {
        let look = |unit: &Unit, _| may_point(unit, UnitOffset(of.entry), offset, MOST_DEPTH);
        self.with_unit(of.unit, look).unwrap_or(true)
    }

    /// How many bytes a value of a type has.
    pub fn size_of(&self, of: Type) -> Option<u64> {
        self.with_unit(of.unit, |unit, _| size_of(unit, UnitOffset(of.entry), MOST_DEPTH)).flatten()
    }

    /// To what addresses of values of a type are aligned, where that is stated.
    pub fn alignment_of(&self, of: Type) -> Option<u64> {
        let look = |unit: &Unit, _| {
            let entry = unit.entry(UnitOffset(of.entry)).ok()?;
            entry.attr_value(gimli::DW_AT_alignment)?.udata_value()
        };
        self.with_unit(of.unit, look).flatten()
    }

    fn with_unit<T>(&self, start: usize, look: impl FnOnce(&Unit, usize) -> T) -> Option<T> {
        self.with_known(start, |known| look(&known.unit, start))
    }

    fn with_known<T>(&self, start: usize, look: impl FnOnce(&mut Known) -> T) -> Option<T> {
        // Taken out meanwhile, so that one may lead to another.
        let taken = self.units.borrow_mut().remove(&start);
        let mut known = taken.unwrap_or_else(|| self.open_unit(start));
        let value = known.as_mut().map(look);
        self.units.borrow_mut().insert(start, known);
        value
    }

    fn open_unit(&self, start: usize) -> Option<Known> {
        let header = self.dwarf.debug_info.header_from_offset(DebugInfoOffset(start)).ok()?;
        Some(Known { unit: self.dwarf.unit(header).ok()?, foreign: None })
    }

    fn with_unit_of(&self, place: usize, look: impl FnOnce(&Unit, usize)) {
        let mut headers = self.dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            let start = header.offset().0;
            if (start..start + header.length_including_self()).contains(&place) {
                self.with_unit(start, look);
                return;
            }
        }
    }
}

/// A way into a type.
struct Walk<'a> {
    types: &'a Types,
    unit: &'a Unit,
    foreign: Option<&'a HashMap<usize, bool>>,
    fields: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn go(&mut self, of: UnitOffset, offset: u64, depth: usize) {
        let Ok(entry) = self.unit.entry(of) else { return };
        if depth == 0 {
            return;
        }
        match entry.tag() {
            gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
                self.go_into(of, of, offset, depth);
            }
            gimli::DW_TAG_array_type => {
                if let Some(element) = type_of(&entry)
                    && let Some(size) = size_of(self.unit, element, depth).filter(|size| *size > 0)
                {
                    self.go(element, offset % size, depth - 1);
                }
            }
            gimli::DW_TAG_typedef => {
                if let Some(of) = type_of(&entry) {
                    self.go(of, offset, depth - 1);
                }
            }
            _ => {}
        }
    }

    /// Looks among the members below an entry of the type `of`, in those of its variants too.
    fn go_into(&mut self, of: UnitOffset, at: UnitOffset, offset: u64, depth: usize) -> bool {
        let mut members: Vec<(DwTag, UnitOffset)> = Vec::new();
        if let Ok(mut tree) = self.unit.entries_tree(Some(at))
            && let Ok(root) = tree.root()
        {
            let mut children = root.children();
            while let Ok(Some(child)) = children.next() {
                members.push((child.entry().tag(), child.entry().offset()));
            }
        }
        for (tag, member) in members {
            let is_there = match tag {
                gimli::DW_TAG_variant_part | gimli::DW_TAG_variant => {
                    depth > 1 && self.go_into(of, member, offset, depth - 1)
                }
                gimli::DW_TAG_member => self.is_at(of, member, offset, depth),
                _ => false,
            };
            if is_there {
                return true;
            }
        }
        false
    }

    fn is_at(&mut self, of: UnitOffset, member: UnitOffset, offset: u64, depth: usize) -> bool {
        let Ok(entry) = self.unit.entry(member) else { return false };
        let Some(inner) = type_of(&entry) else { return false };
        let start = entry.attr_value(gimli::DW_AT_data_member_location);
        let start = start.and_then(|start| start.udata_value()).unwrap_or(0);
        let size = size_of(self.unit, inner, depth).unwrap_or(0);
        if offset < start || offset >= start + size {
            return false;
        }
        let is_foreign = self.foreign.is_some_and(|map| map.get(&of.0) == Some(&true));
        // What is only wrapped has no news in its place.
        let is_wrapped = self.types.name(self.unit, &entry).as_deref() == Some("__0")
            && size_of(self.unit, of, depth) == Some(size);
        if is_foreign
            && !is_wrapped
            && let Some(name) = self.types.name(self.unit, &entry)
            && let Some(name) = readable(&name)
        {
            self.fields.push(name);
        }
        self.go(inner, offset - start, depth - 1);
        true
    }
}

/// A field's name; those of tuples are their numbers. None for what enums have for their variants.
fn readable(name: &str) -> Option<String> {
    match name.strip_prefix("__") {
        Some(number) if number.parse::<u32>().is_ok() => Some(number.to_owned()),
        Some(_) => None,
        None if name.starts_with(char::is_uppercase) => None,
        None => Some(name.to_owned()),
    }
}

fn type_of(entry: &Entry) -> Option<UnitOffset> {
    match entry.attr_value(gimli::DW_AT_type)? {
        AttributeValue::UnitRef(of) => Some(of),
        _ => None,
    }
}

fn size_of(unit: &Unit, of: UnitOffset, depth: usize) -> Option<u64> {
    let entry = unit.entry(of).ok()?;
    if let Some(size) = entry.attr_value(gimli::DW_AT_byte_size) {
        return size.udata_value();
    }
    match entry.tag() {
        gimli::DW_TAG_pointer_type => Some(8),
        gimli::DW_TAG_array_type if depth > 0 => {
            let element = size_of(unit, type_of(&entry)?, depth - 1)?;
            let mut tree = unit.entries_tree(Some(of)).ok()?;
            let mut children = tree.root().ok()?.children();
            let mut count = 0;
            while let Ok(Some(child)) = children.next() {
                let value = child.entry().attr_value(gimli::DW_AT_count);
                count = value.and_then(|value| value.udata_value()).unwrap_or(count);
            }
            Some(element * count)
        }
        gimli::DW_TAG_typedef if depth > 0 => size_of(unit, type_of(&entry)?, depth - 1),
        _ => None,
    }
}

const POINTER: u64 = 8;

/// What is not known may be a pointer.
fn may_point(unit: &Unit, of: UnitOffset, offset: u64, depth: usize) -> bool {
    let Ok(entry) = unit.entry(of) else { return true };
    let Some(size) = size_of(unit, of, depth) else { return true };
    if depth == 0 {
        return true;
    }
    match entry.tag() {
        gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
            let (any, there) = members_point(unit, of, offset, depth);
            there || !any
        }
        gimli::DW_TAG_array_type => {
            let element = type_of(&entry).and_then(|of| Some((of, size_of(unit, of, depth)?)));
            match element {
                // Pointers may be kept as bytes.
                Some((_, size_of_one)) if size_of_one < POINTER => offset + POINTER <= size,
                Some((of, each)) if each.is_multiple_of(POINTER) => {
                    may_point(unit, of, offset % each, depth - 1)
                }
                _ => true,
            }
        }
        gimli::DW_TAG_base_type | gimli::DW_TAG_enumeration_type => offset + POINTER <= size,
        _ => true,
    }
}

/// Whether there are members below an entry, in its variants too, and whether one of them may have
/// a pointer there.
fn members_point(unit: &Unit, at: UnitOffset, offset: u64, depth: usize) -> (bool, bool) {
    let (mut any, mut there) = (false, false);
    let Ok(mut tree) = unit.entries_tree(Some(at)) else { return (false, true) };
    let Ok(root) = tree.root() else { return (false, true) };
    let mut children = root.children();
    while let Ok(Some(child)) = children.next() {
        let entry = child.entry();
        match entry.tag() {
            gimli::DW_TAG_variant_part | gimli::DW_TAG_variant => {
                let (more, inside) = members_point(unit, entry.offset(), offset, depth - 1);
                any |= more;
                there |= inside;
            }
            gimli::DW_TAG_member => {
                any = true;
                let start = entry.attr_value(gimli::DW_AT_data_member_location);
                let start = start.and_then(|start| start.udata_value()).unwrap_or(0);
                let inner = type_of(entry).filter(|_| offset >= start);
                let Some((inner, at)) = inner.zip(offset.checked_sub(start)) else { continue };
                let is_over = size_of(unit, inner, depth).is_none_or(|size| at < size);
                there |= is_over && may_point(unit, inner, at, depth - 1);
            }
            _ => {}
        }
    }
    (any, there)
}

/// Where some bytes are in others. The C library's search is as fast in a build without
/// optimisation.
pub fn find(all: &[u8], some: &[u8]) -> Option<usize> {
    let (start, len) = (all.as_ptr().cast(), all.len());
    // SAFETY: both are slices.
    let place = unsafe { libc::memmem(start, len, some.as_ptr().cast(), some.len()) };
    (!place.is_null()).then(|| place.addr() - all.as_ptr().addr())
}

/// Which types of a unit lie in other crates than the standard library's and those that do the same
/// as it does: their fields have names that tell something.
fn foreign(dwarf: &Dwarf<'static>, unit: &Unit) -> HashMap<usize, bool> {
    const STD: [&[u8]; 9] = [
        b"std",
        b"core",
        b"alloc",
        b"hashbrown",
        b"once_cell",
        b"lazy_static",
        b"spin",
        b"lock_api",
        b"parking_lot",
    ];
    let mut found = HashMap::new();
    // For each depth, whether the namespace there is within such a crate.
    let mut within: Vec<Option<bool>> = Vec::new();
    let mut entries = unit.entries();
    while let Ok(Some(entry)) = entries.next_dfs() {
        let depth = entry.depth().max(0) as usize;
        within.truncate(depth);
        let around = within.last().copied().flatten();
        let here = match entry.tag() {
            gimli::DW_TAG_namespace if around.is_none() => {
                let name = entry.attr_value(gimli::DW_AT_name);
                let name = name.and_then(|name| dwarf.attr_string(unit, name).ok());
                name.map(|name| !STD.contains(&name.slice()))
            }
            gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
                if let Some(around) = around {
                    found.insert(entry.offset().0, around);
                }
                around
            }
            _ => around,
        };
        within.resize(depth, around);
        within.push(here);
    }
    found
}
