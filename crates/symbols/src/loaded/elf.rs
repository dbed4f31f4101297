//! A reader of the parts of 64-bit ELF files that names come from. Damaged parts of a file are
//! treated as missing.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::file::Files;

const SEGMENT_SIZE: usize = 56;
const SECTION_SIZE: usize = 64;
const SYMBOL_SIZE: usize = 24;

const PT_LOAD: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const SHT_NOTE: u32 = 7;
const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const SHF_COMPRESSED: u64 = 1 << 11;
const ELFCOMPRESS_ZLIB: u32 = 1;
const NT_GNU_BUILD_ID: u32 = 3;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;
const STT_TLS: u8 = 6;

/// An ELF file.
#[derive(Clone, Copy)]
pub(super) struct Elf<'a> {
    data: &'a [u8],
    segments: &'a [[u8; SEGMENT_SIZE]],
    sections: &'a [[u8; SECTION_SIZE]],
    section_names: &'a [u8],
}

#[derive(Clone, Copy)]
struct Section<'a> {
    name: &'a [u8],
    kind: u32,
    is_compressed: bool,
    data: &'a [u8],
    /// The index of an associated section.
    link: u32,
}

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SymbolKind {
    Function,
    Static,
    /// Addresses are offsets from the start of the thread-locals.
    ThreadLocal,
}

/// An entry of a symbol table.
#[derive(Clone, Copy)]
pub(super) struct Symbol<'a> {
    pub(super) kind: SymbolKind,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) name: &'a [u8],
}

impl<'a> Elf<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        const CLASS_64: u8 = 2;
        const ENDIAN: u8 = if cfg!(target_endian = "little") { 1 } else { 2 };
        if !data.starts_with(&[0x7f, b'E', b'L', b'F', CLASS_64, ENDIAN]) {
            return None;
        }
        let segments = table(data, u64_at(data, 32)?, u16_at(data, 56)?.into())?;
        let all = u64_at(data, 40)?;
        // Counts that do not fit into the header are in the first section, which has no other
        // purpose.
        let first: &[u8] = table::<SECTION_SIZE>(data, all, 1).map_or(&[], |first| &first[0]);
        let count = match u16_at(data, 60)? {
            0 => u64_at(first, 32).unwrap_or(0),
            count => count.into(),
        };
        let names = match u16_at(data, 62)? {
            u16::MAX => u32_at(first, 40).unwrap_or(0),
            names => names.into(),
        };
        let sections = table(data, all, count)?;
        let mut elf = Self { data, segments, sections, section_names: &[] };
        elf.section_names = elf.section_at(names).map_or(&[], |section| section.data);
        Some(elf)
    }

    /// The address, as stated in the file, of the byte at an offset in the file.
    pub(super) fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let inside = offset.checked_sub(u64_at(segment, 8)?)?;
            let is_loaded = u32_at(segment, 0)? == PT_LOAD && inside < u64_at(segment, 32)?;
            if is_loaded { u64_at(segment, 16)?.checked_add(inside) } else { None }
        })
    }

    /// The contents of a section, or `None` if it is missing or not compressed with zlib.
    pub(super) fn section<'f: 'a>(&self, name: &str, files: &'f Files) -> Option<&'a [u8]> {
        if let Some(section) = self.named(name) {
            let data = section.data;
            return match section.is_compressed {
                false => Some(data),
                true if u32_at(data, 0)? != ELFCOMPRESS_ZLIB => None,
                true => Some(files.add(inflate(data.get(24..)?, u64_at(data, 8)?)?)),
            };
        }
        // The name of compressed sections before the format supported compression.
        let old = self.named(&format!(".z{}", name.strip_prefix('.')?))?;
        let (size, data) = old.data.strip_prefix(b"ZLIB")?.split_first_chunk()?;
        Some(files.add(inflate(data, u64::from_be_bytes(*size))?))
    }

    pub(super) fn has_debug_information(&self) -> bool {
        [".debug_info", ".zdebug_info"]
            .iter()
            .any(|name| self.named(name).is_some_and(|section| !section.data.is_empty()))
    }

    /// The identifier of this build of the file.
    pub(super) fn build_id(&self) -> Option<&'a [u8]> {
        let mut notes = self.sections().filter(|section| section.kind == SHT_NOTE);
        notes.find_map(|section| {
            // Linkers write this note as the only one of its section.
            let (name, value) = (u32_at(section.data, 0)?, u32_at(section.data, 4)?);
            let is_build_id = name == 4 && u32_at(section.data, 8)? == NT_GNU_BUILD_ID;
            let is_gnu = section.data.get(12..16)? == b"GNU\0";
            (is_build_id && is_gnu).then(|| range(section.data, 16, value.into()))?
        })
    }

    pub(super) fn has_all_symbols(&self) -> bool {
        self.symbols_of(SHT_SYMTAB).is_some()
    }

    /// The functions in the symbol table.
    pub(super) fn functions(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        self.symbols().filter(|symbol| symbol.kind == SymbolKind::Function)
    }

    /// The symbols of the file, or only the exported ones if it is stripped.
    pub(super) fn symbols(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let of = |kind| self.symbols_of(kind);
        let (symbols, names) = of(SHT_SYMTAB).or_else(|| of(SHT_DYNSYM)).unwrap_or_default();
        symbols.iter().filter_map(|symbol| Symbol::parse(symbol, names))
    }

    fn symbols_of(&self, kind: u32) -> Option<(&'a [[u8; SYMBOL_SIZE]], &'a [u8])> {
        let section = self.sections().find(|section| section.kind == kind)?;
        let (symbols, _) = section.data.as_chunks();
        // The first symbol is always empty.
        (symbols.len() > 1).then_some((symbols, self.section_at(section.link)?.data))
    }

    fn named(&self, name: &str) -> Option<Section<'a>> {
        self.sections().find(|section| section.name == name.as_bytes())
    }

    fn sections(&self) -> impl Iterator<Item = Section<'a>> + '_ {
        (0..self.sections.len() as u32).filter_map(|index| self.section_at(index))
    }

    fn section_at(&self, index: u32) -> Option<Section<'a>> {
        let header = self.sections.get(index as usize)?;
        let kind = u32_at(header, 4)?;
        let data = match kind {
            SHT_NOBITS => &[],
            _ => range(self.data, u64_at(header, 24)?, u64_at(header, 32)?)?,
        };
        Some(Section {
            name: text_at(self.section_names, u32_at(header, 0)?).unwrap_or_default(),
            kind,
            is_compressed: u64_at(header, 8)? & SHF_COMPRESSED != 0,
            data,
            link: u32_at(header, 40)?,
        })
    }
}

impl<'a> Symbol<'a> {
    /// Parses an entry. Returns `None` for other kinds of symbols and undefined ones.
    fn parse(entry: &[u8; SYMBOL_SIZE], names: &'a [u8]) -> Option<Self> {
        let kind = match entry[4] & 0xf {
            STT_FUNC => SymbolKind::Function,
            STT_OBJECT => SymbolKind::Static,
            STT_TLS => SymbolKind::ThreadLocal,
            _ => return None,
        };
        if entry[6..8] == [0, 0] {
            return None;
        }
        let start = u64_at(entry, 8)?;
        let end = start.checked_add(u64_at(entry, 16)?)?;
        Some(Self { kind, start, end, name: text_at(names, u32_at(entry, 0)?)? })
    }

    /// Whether this symbol describes an address in both better than the other: it starts later, or
    /// it starts at the same address and has fewer leading underscores.
    pub(super) fn is_better_than(&self, other: &Self) -> bool {
        let underscores =
            |symbol: &Self| symbol.name.iter().take_while(|byte| **byte == b'_').count();
        self.start > other.start
            || (self.start == other.start && underscores(self) < underscores(other))
    }
}

fn inflate(data: &[u8], size: u64) -> Option<Vec<u8>> {
    /// The maximum ratio of deflate.
    const BEST_COMPRESSION: usize = 1032;
    let size = usize::try_from(size).ok()?;
    if size > data.len().saturating_mul(BEST_COMPRESSION) {
        return None;
    }
    let mut out = vec![0; size];
    let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, _, written) = decompress(&mut DecompressorOxide::new(), data, &mut out, 0, flags);
    (status == TINFLStatus::Done && written == size).then_some(out)
}

fn table<const N: usize>(data: &[u8], at: u64, count: u64) -> Option<&[[u8; N]]> {
    Some(range(data, at, count.checked_mul(N as u64)?)?.as_chunks().0)
}

fn range(data: &[u8], at: u64, size: u64) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    data.get(at..at.checked_add(usize::try_from(size).ok()?)?)
}

/// The bytes up to the next zero.
fn text_at(data: &[u8], at: u32) -> Option<&[u8]> {
    std::ffi::CStr::from_bytes_until_nul(data.get(at as usize..)?).ok().map(|text| text.to_bytes())
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*data.get(at..)?.first_chunk()?))
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*data.get(at..)?.first_chunk()?))
}

fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*data.get(at..)?.first_chunk()?))
}
