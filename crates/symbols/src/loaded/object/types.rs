//! Types in debug information: the type arguments of generic functions, the types of statics, and
//! the fields at an offset in a type.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use addr2line::gimli::{
    self, AttributeValue, DebugInfoOffset, DwTag, Section, SectionId, UnitOffset,
};
use addr2line::{FunctionName, LookupResult};
use leakcheck_system::spare_fd;

use super::{Dwarf, Object, Slice, demangled, sections};

type Unit = gimli::Unit<Slice<'static>>;
type Die = gimli::DebuggingInformationEntry<Slice<'static>>;

/// The types in a file's debug information.
pub struct Types {
    /// Units that were read, by the offset of their headers.
    units: RefCell<HashMap<usize, Option<LoadedUnit>>>,
    dwarf: Dwarf<'static>,
    // Dropped last, because the other fields borrow from its files.
    object: Object,
}

/// A unit, and which of its types are user types.
struct LoadedUnit {
    unit: Unit,
    /// Whether each type's fields have telling names, computed on first use.
    user_types: Option<HashMap<usize, bool>>,
}

/// A type, identified by the offsets of its unit and its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    unit: usize,
    entry: usize,
}

/// An instance of a generic function.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// The path, without type arguments.
    pub path: String,
    /// The last part of the path, with type arguments.
    pub name: String,
    /// The first type argument.
    pub first_argument: Option<Type>,
}

/// The maximum depth of nested types.
const MAX_DEPTH: usize = 40;

impl Types {
    pub fn open(path: &Path) -> Option<Self> {
        let object = spare_fd::with_one_free(|| Object::open(path))?;
        object.context.as_ref()?;
        // SAFETY: the files are on the heap and owned by `object`, which is dropped after all other
        // fields. Nothing that borrows from them is returned.
        let files: &'static super::Files = unsafe { &*std::sync::Arc::as_ptr(&object._files) };
        let dwarf = sections(&object.debug, files, SectionId::name);
        Some(Self { units: RefCell::default(), dwarf, object })
    }

    /// The functions at an address of the file, innermost first.
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

    /// Fills in the name and type argument in a function's entry, or in the entry that it refers
    /// to.
    fn describe(&self, unit: &Unit, start: usize, die: UnitOffset, function: &mut Function) {
        let Ok(entry) = unit.entry(die) else { return };
        for of in [gimli::DW_AT_abstract_origin, gimli::DW_AT_specification] {
            match entry.attr_value(of) {
                Some(AttributeValue::UnitRef(inner)) => self.describe(unit, start, inner, function),
                Some(AttributeValue::DebugInfoRef(offset)) => {
                    self.with_unit_of(offset.0, |unit, start| {
                        let inner = UnitOffset(offset.0 - start);
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
                    function.first_argument = Some(Type { unit: start, entry: of.0 });
                    return;
                }
            }
        }
    }

    fn name(&self, unit: &Unit, entry: &Die) -> Option<String> {
        let value = entry.attr_value(gimli::DW_AT_name)?;
        let text = self.dwarf.attr_string(unit, value).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// The type of a static or thread-local with this symbol name.
    pub fn of_variable(&self, symbol: &str) -> Option<Type> {
        let mut offsets = self.references_to(symbol).into_iter().chain(self.newer_units());
        offsets.find_map(|offset| {
            let mut found = None;
            self.with_unit_of(offset, |unit, start| {
                let entry = self.variable_in(unit, symbol);
                found = entry.map(|entry| Type { unit: start, entry: entry.0 });
            });
            found
        })
    }

    /// Offsets in the debug information at which a symbol's name may be referenced, by the offset
    /// of its only copy in the string section.
    ///
    /// Reading all units would take seconds, and their names do not contain the crate in an
    /// incremental build.
    fn references_to(&self, symbol: &str) -> Vec<usize> {
        let strings = self.dwarf.debug_str.reader().slice();
        let mut text = symbol.as_bytes().to_vec();
        text.push(0);
        let Some(at) = find_bytes(strings, &text) else { return Vec::new() };
        let Ok(at) = u32::try_from(at) else { return Vec::new() };
        let (info, at) = (self.dwarf.debug_info.reader().slice(), at.to_ne_bytes());
        let mut offsets = Vec::new();
        let mut from = 0;
        while let Some(found) = find_bytes(&info[from..], &at) {
            offsets.push(from + found);
            from += found + at.len();
        }
        offsets
    }

    /// Units from DWARF 5 on, which reference strings by an index.
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

    /// The fields that contain a byte of a type, outermost first, without those of the standard
    /// library's types.
    pub fn fields_at(&self, of: Type, offset: u64) -> Vec<String> {
        let mut fields = Vec::new();
        self.with_loaded_unit(of.unit, |loaded| {
            loaded.user_types.get_or_insert_with(|| user_types(&self.dwarf, &loaded.unit));
            let (unit, user_types) = (&loaded.unit, loaded.user_types.as_ref());
            let mut walk = FieldWalk { types: self, unit, user_types, fields: &mut fields };
            walk.visit(UnitOffset(of.entry), offset, MAX_DEPTH);
        });
        fields
    }

    /// Whether a type may have a pointer at a byte. Padding, which may contain stale values, and
    /// smaller fields exclude one.
    pub fn may_point(&self, of: Type, offset: u64) -> bool {
        let read = |unit: &Unit, _| may_point(unit, UnitOffset(of.entry), offset, MAX_DEPTH);
        self.with_unit(of.unit, read).unwrap_or(true)
    }

    /// The size of a type in bytes.
    pub fn size_of(&self, of: Type) -> Option<u64> {
        self.with_unit(of.unit, |unit, _| size_of(unit, UnitOffset(of.entry), MAX_DEPTH)).flatten()
    }

    /// The alignment of a type, if it is stated.
    pub fn alignment_of(&self, of: Type) -> Option<u64> {
        let read = |unit: &Unit, _| {
            let entry = unit.entry(UnitOffset(of.entry)).ok()?;
            entry.attr_value(gimli::DW_AT_alignment)?.udata_value()
        };
        self.with_unit(of.unit, read).flatten()
    }

    fn with_unit<T>(&self, start: usize, read: impl FnOnce(&Unit, usize) -> T) -> Option<T> {
        self.with_loaded_unit(start, |loaded| read(&loaded.unit, start))
    }

    fn with_loaded_unit<T>(
        &self,
        start: usize,
        read: impl FnOnce(&mut LoadedUnit) -> T,
    ) -> Option<T> {
        // Removed during the call, so that reading one unit may lead to another.
        let taken = self.units.borrow_mut().remove(&start);
        let mut loaded = taken.unwrap_or_else(|| self.open_unit(start));
        let value = loaded.as_mut().map(read);
        self.units.borrow_mut().insert(start, loaded);
        value
    }

    fn open_unit(&self, start: usize) -> Option<LoadedUnit> {
        let header = self.dwarf.debug_info.header_from_offset(DebugInfoOffset(start)).ok()?;
        Some(LoadedUnit { unit: self.dwarf.unit(header).ok()?, user_types: None })
    }

    fn with_unit_of(&self, offset: usize, read: impl FnOnce(&Unit, usize)) {
        let mut headers = self.dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            let start = header.offset().0;
            if (start..start + header.length_including_self()).contains(&offset) {
                self.with_unit(start, read);
                return;
            }
        }
    }
}

/// A walk from a type to the fields at an offset.
struct FieldWalk<'a> {
    types: &'a Types,
    unit: &'a Unit,
    user_types: Option<&'a HashMap<usize, bool>>,
    fields: &'a mut Vec<String>,
}

impl FieldWalk<'_> {
    fn visit(&mut self, of: UnitOffset, offset: u64, depth: usize) {
        let Ok(entry) = self.unit.entry(of) else { return };
        if depth == 0 {
            return;
        }
        match entry.tag() {
            gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
                self.visit_members(of, of, offset, depth);
            }
            gimli::DW_TAG_array_type => {
                if let Some(element) = type_of(&entry)
                    && let Some(size) = size_of(self.unit, element, depth).filter(|size| *size > 0)
                {
                    self.visit(element, offset % size, depth - 1);
                }
            }
            gimli::DW_TAG_typedef => {
                if let Some(of) = type_of(&entry) {
                    self.visit(of, offset, depth - 1);
                }
            }
            _ => {}
        }
    }

    /// Searches the members of the type `of` that are below the entry `at`, including those of
    /// variants.
    fn visit_members(&mut self, of: UnitOffset, at: UnitOffset, offset: u64, depth: usize) -> bool {
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
            let is_found = match tag {
                gimli::DW_TAG_variant_part | gimli::DW_TAG_variant => {
                    depth > 1 && self.visit_members(of, member, offset, depth - 1)
                }
                gimli::DW_TAG_member => self.visit_member(of, member, offset, depth),
                _ => false,
            };
            if is_found {
                return true;
            }
        }
        false
    }

    fn visit_member(
        &mut self,
        of: UnitOffset,
        member: UnitOffset,
        offset: u64,
        depth: usize,
    ) -> bool {
        let Ok(entry) = self.unit.entry(member) else { return false };
        let Some(inner) = type_of(&entry) else { return false };
        let start = entry.attr_value(gimli::DW_AT_data_member_location);
        let start = start.and_then(|start| start.udata_value()).unwrap_or(0);
        let size = size_of(self.unit, inner, depth).unwrap_or(0);
        if offset < start || offset >= start + size {
            return false;
        }
        let is_user_type = self.user_types.is_some_and(|map| map.get(&of.0) == Some(&true));
        // The name of a newtype's only field says nothing.
        let is_wrapped = self.types.name(self.unit, &entry).as_deref() == Some("__0")
            && size_of(self.unit, of, depth) == Some(size);
        if is_user_type
            && !is_wrapped
            && let Some(name) = self.types.name(self.unit, &entry)
            && let Some(name) = field_name(&name)
        {
            self.fields.push(name);
        }
        self.visit(inner, offset - start, depth - 1);
        true
    }
}

/// The name of a field as in source code, or `None` for the generated names of enum variants.
fn field_name(name: &str) -> Option<String> {
    match name.strip_prefix("__") {
        Some(number) if number.parse::<u32>().is_ok() => Some(number.to_owned()),
        Some(_) => None,
        None if name.starts_with(char::is_uppercase) => None,
        None => Some(name.to_owned()),
    }
}

fn type_of(entry: &Die) -> Option<UnitOffset> {
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

/// A type that is not loaded may be a pointer.
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
                // An array of bytes may store pointers.
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

/// Whether an entry has members, including those of variants, and whether one of them may have a
/// pointer at the offset.
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
                let contains_offset = size_of(unit, inner, depth).is_none_or(|size| at < size);
                there |= contains_offset && may_point(unit, inner, at, depth - 1);
            }
            _ => {}
        }
    }
    (any, there)
}

/// Finds bytes in a slice. The C library's search is fast even in an unoptimized build.
pub(crate) fn find_bytes(all: &[u8], some: &[u8]) -> Option<usize> {
    let (start, len) = (all.as_ptr().cast(), all.len());
    // SAFETY: both pointers are to slices of the lengths that are passed.
    let found = unsafe { libc::memmem(start, len, some.as_ptr().cast(), some.len()) };
    (!found.is_null()).then(|| found.addr() - all.as_ptr().addr())
}

/// Which types of a unit have fields with telling names: those outside of the standard library and
/// of crates that provide similar types.
fn user_types(dwarf: &Dwarf<'static>, unit: &Unit) -> HashMap<usize, bool> {
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
    // For each depth, whether the namespace belongs to a user crate.
    let mut within: Vec<Option<bool>> = Vec::new();
    let mut entries = unit.entries();
    while let Ok(Some(entry)) = entries.next_dfs() {
        let depth = entry.depth().max(0) as usize;
        within.truncate(depth);
        let parent = within.last().copied().flatten();
        let here = match entry.tag() {
            gimli::DW_TAG_namespace if parent.is_none() => {
                let name = entry.attr_value(gimli::DW_AT_name);
                let name = name.and_then(|name| dwarf.attr_string(unit, name).ok());
                name.map(|name| !STD.contains(&name.slice()))
            }
            gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
                if let Some(parent) = parent {
                    found.insert(entry.offset().0, parent);
                }
                parent
            }
            _ => parent,
        };
        within.resize(depth, parent);
        within.push(here);
    }
    found
}
