//! The contents of files.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::{NonNull, null_mut, slice_from_raw_parts};
use std::sync::Mutex;

/// The contents of files, kept as long as this is.
#[derive(Default)]
pub(super) struct Files(Mutex<Vec<Contents>>);

enum Contents {
    Mapped(Mapping),
    Own(Vec<u8>),
}

impl Files {
    /// A file that code was loaded from: what is not looked at takes no time and no memory.
    pub(super) fn map(&self, path: &Path) -> Option<&[u8]> {
        Mapping::of(path).map(|mapping| self.keep(Contents::Mapped(mapping)))
    }

    /// A file that may be written anew at any time.
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
        // SAFETY: mapped or on the heap, the bytes stay in place when their owner moves. It is in
        // the list as long as `self` is there, and nobody changes it.
        unsafe { &*bytes }
    }
}

/// A file in memory.
struct Mapping {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: the memory is this value's alone, and is only read.
unsafe impl Send for Mapping {}

impl Mapping {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::File::open(path).ok()?;
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let size = usize::try_from(metadata.len()).ok().filter(|size| *size > 0)?;
        let (read, private) = (libc::PROT_READ, libc::MAP_PRIVATE);
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
        let start = unsafe { libc::mmap(null_mut(), size, read, private, file.as_raw_fd(), 0) };
        let start = (start != libc::MAP_FAILED).then_some(start)?;
        Some(Self { start: NonNull::new(start)?.cast(), size })
    }

    fn bytes(&self) -> *const [u8] {
        // To be read while the mapping is there. Code runs from the file, which is mapped for that
        // too: who cuts it off or writes into it takes the program's own code away. That is why
        // linkers and packages put new files in the place of old ones.
        slice_from_raw_parts(self.start.as_ptr(), self.size)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made for this value, and the list that it is in lives as long as
        // what was given away of it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
    }
}
