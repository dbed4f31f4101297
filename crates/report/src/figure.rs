//! Figures that can have a limit.

use serde::Serialize;

use crate::format::{count, size_limit};
use crate::resource::Resource;

/// A figure that can have a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Figure {
    /// Net growth in bytes.
    Bytes,
    /// Net growth in blocks.
    Blocks,
    /// The most bytes that were live at once.
    PeakBytes,
    /// Threads started inside the region that still run.
    Threads,
    /// File descriptors opened inside the region that are still open.
    Fds,
    /// Child processes started inside the region that nobody has waited for.
    Children,
    /// Bytes by which the C heap of the process has grown.
    CHeapBytes,
    /// Bytes that are no longer reachable.
    LostBytes,
    /// Bytes that every further call of the body leaks, rounded up.
    BytesPerCall,
    /// Threads that every further call of the body leaves running, rounded up.
    ThreadsPerCall,
    /// File descriptors that every further call of the body leaves open, rounded up.
    FdsPerCall,
    /// Child processes that every further call of the body leaves unwaited for, rounded up.
    ChildrenPerCall,
    /// Bytes by which every further call of the body grows the C heap, rounded up.
    CHeapBytesPerCall,
}

impl Figure {
    /// How much of a resource every further call of a repeated body leaves behind.
    pub fn per_call(resource: Resource) -> Self {
        match resource {
            Resource::Threads => Self::ThreadsPerCall,
            Resource::Fds => Self::FdsPerCall,
            Resource::Children => Self::ChildrenPerCall,
            Resource::CHeap => Self::CHeapBytesPerCall,
        }
    }

    /// The resource other than memory that the figure is about.
    pub fn resource(self) -> Option<Resource> {
        match self {
            Self::Threads | Self::ThreadsPerCall => Some(Resource::Threads),
            Self::Fds | Self::FdsPerCall => Some(Resource::Fds),
            Self::Children | Self::ChildrenPerCall => Some(Resource::Children),
            Self::CHeapBytes | Self::CHeapBytesPerCall => Some(Resource::CHeap),
            Self::Bytes | Self::Blocks | Self::PeakBytes | Self::LostBytes | Self::BytesPerCall => {
                None
            }
        }
    }

    /// Whether the figure is a number of bytes.
    pub fn is_bytes(self) -> bool {
        match self {
            Self::Bytes
            | Self::PeakBytes
            | Self::CHeapBytes
            | Self::LostBytes
            | Self::BytesPerCall
            | Self::CHeapBytesPerCall => true,
            Self::Blocks
            | Self::Threads
            | Self::Fds
            | Self::Children
            | Self::ThreadsPerCall
            | Self::FdsPerCall
            | Self::ChildrenPerCall => false,
        }
    }

    /// A value of the figure, such as a limit: a size, or a number.
    pub fn show(self, value: u64) -> String {
        if self.is_bytes() { size_limit(value) } else { count(value) }
    }

    /// What the figure counts, as in "the peak of `test` is not judged".
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Blocks => "blocks",
            Self::PeakBytes => "the peak",
            Self::Threads => "threads",
            Self::Fds => "file descriptors",
            Self::LostBytes => "lost bytes",
            Self::BytesPerCall => "bytes per call",
            Self::ThreadsPerCall => "threads per call",
            Self::FdsPerCall => "file descriptors per call",
            Self::ChildrenPerCall => "child processes per call",
            Self::CHeapBytesPerCall => "the C heap per call",
            Self::Children => "child processes",
            Self::CHeapBytes => "the C heap",
        }
    }
}
