//! The contents of files.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::{NonNull, null_mut, slice_from_raw_parts};
use std::sync::Mutex;

/// The contents of files, kept for the life of this value.
#[derive(Default)]
pub(super) struct Files(Mutex<Vec<Contents>>);

enum Contents {
    Mapped(Mapping),
    Own(Vec<u8>),
}

impl Files {
    /// Maps a file from which code was loaded. Parts that are not read take neither time nor
    /// memory.
    pub(super) fn map(&self, path: &Path) -> Option<&[u8]> {
        Mapping::of(path).map(|mapping| self.keep(Contents::Mapped(mapping)))
    }

    /// Reads a file that may be rewritten at any time.
    pub(super) fn read(&self, path: &Path) -> Option<&[u8]> {
        let is_file = fs::metadata(path).ok()?.is_file();
        is_file.then(|| fs::read(path).ok()).flatten().map(|bytes| self.add(bytes))
    }

    pub(super) fn add(&self, bytes: Vec<u8>) -> &[u8] {
        self.keep(Contents::Own(bytes))
    }

    fn keep(&self, contents: Contents) -> &[u8] {
        let bytes: *const [u8] = match &contents {
            Contents::Mapped(mapping) => mapping.bytes(),
            Contents::Own(bytes) => bytes.as_slice(),
        };
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(contents);
        // SAFETY: the bytes are mapped or on the heap, so they stay in place when their owner moves
        // into the list. The list is only ever appended to while `self` exists.
        unsafe { &*bytes }
    }
}

/// A file mapped into memory.
struct Mapping {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: the value is the only owner of the mapping, which is only read.
unsafe impl Send for Mapping {}

impl Mapping {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::File::open(path).ok()?;
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let size = usize::try_from(metadata.len()).ok().filter(|size| *size > 0)?;
        let (read, private) = (libc::PROT_READ, libc::MAP_PRIVATE);
        // SAFETY: a new mapping at an address of the kernel's choice overlaps no other memory.
        let start = unsafe { libc::mmap(null_mut(), size, read, private, file.as_raw_fd(), 0) };
        let start = (start != libc::MAP_FAILED).then_some(start)?;
        Some(Self { start: NonNull::new(start)?.cast(), size })
    }

    fn bytes(&self) -> *const [u8] {
        // Truncating or rewriting the file would change the slice. But the process runs code from
        // the same file, so it would crash anyway, which is why linkers and package managers
        // replace files instead.
        slice_from_raw_parts(self.start.as_ptr(), self.size)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made for this value, and the list that owns it outlives all
        // slices of it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
    }
}
