//! The files that are mapped into the process, and their addresses.

use std::ffi::OsStr;
use std::fs::{read, read_link};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The running program, even if its file was replaced.
const PROGRAM: &str = "/proc/self/exe";

/// The list of all mappings.
pub(super) const MAPS: &str = "/proc/self/maps";

/// The mappings that have a file.
#[derive(Default)]
pub(super) struct FileMappings(Vec<FileMapping>);

struct FileMapping {
    start: u64,
    end: u64,
    /// The offset in the file.
    offset: u64,
    path: PathBuf,
}

impl FileMappings {
    /// # Errors
    ///
    /// Returns an error where the kernel's list cannot be read.
    pub(super) fn of_process() -> io::Result<Self> {
        // The kernel names the actual file of each mapping. The dynamic linker would return the
        // name that was used to open it.
        let text = read(MAPS)?;
        Ok(Self::parse(&text, &read_link(PROGRAM).unwrap_or_default()))
    }

    fn parse(text: &[u8], program: &Path) -> Self {
        let mut maps: Vec<FileMapping> =
            text.split(|byte| *byte == b'\n').filter_map(FileMapping::parse).collect();
        // The file of a program that was rebuilt while it runs no longer has a name.
        if program.as_os_str().as_bytes().ends_with(b" (deleted)") {
            for mapping in maps.iter_mut().filter(|mapping| mapping.path == program) {
                mapping.path = PathBuf::from(PROGRAM);
            }
        }
        Self(maps)
    }

    /// The file that is mapped at an address, and the offset in it.
    pub(super) fn find(&self, address: u64) -> Option<(&Path, u64)> {
        let index = self.0.partition_point(|mapping| mapping.start <= address).checked_sub(1)?;
        let mapping = &self.0[index];
        (address < mapping.end).then(|| (&*mapping.path, address - mapping.start + mapping.offset))
    }
}

impl FileMapping {
    /// Parses a line such as `55e8a000-55e9b000 r-xp 0002a000 08:01 173 /usr/bin/app`.
    fn parse(line: &[u8]) -> Option<Self> {
        let path = line.iter().position(|byte| *byte == b'/')?;
        let (before, path) = line.split_at(path);
        let mut fields = str::from_utf8(before).ok()?.split(' ');
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let (start, end) = fields.next()?.split_once('-')?;
        let offset = hex(fields.nth(1)?)?;
        let path = PathBuf::from(OsStr::from_bytes(path));
        Some(Self { start: hex(start)?, end: hex(end)?, offset, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
5500-5600 r--p 00000000 08:01 17                         /home/me/my app
5600-5700 r-xp 00000100 08:01 17                         /home/me/my app
5800-5900 rw-p 00000000 00:00 0
5900-5a00 rw-p 00000000 00:00 0                          [heap]
7f00-8000 r-xp 00002000 08:01 18                         /home/me/new (deleted)
9000-9100 r-xp 00002000 08:01 19                         /home/me/lib.so (deleted)
";

    #[track_caller]
    fn check(address: u64, expected: Option<(&str, u64)>) {
        let maps = FileMappings::parse(TEXT.as_bytes(), Path::new("/home/me/new (deleted)"));
        let expected = expected.map(|(path, offset)| (Path::new(path), offset));
        assert_eq!(maps.find(address), expected);
    }

    #[test]
    fn an_address_lies_in_the_file_that_is_mapped_there() {
        check(0x5500, Some(("/home/me/my app", 0)));
        check(0x56ff, Some(("/home/me/my app", 0x1ff)));
    }

    #[test]
    fn memory_without_a_file_is_in_none() {
        check(0x54ff, None);
        check(0x5700, None);
        check(0x5810, None);
        check(0x5910, None);
        check(0x8000, None);
    }

    #[test]
    fn a_program_that_was_replaced_is_found_by_the_process() {
        check(0x7f10, Some(("/proc/self/exe", 0x2010)));
        check(0x9010, Some(("/home/me/lib.so (deleted)", 0x2010)));
    }
}
