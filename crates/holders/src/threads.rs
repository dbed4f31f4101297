//! The threads of the process and their stacks.

use std::ops::Range;
use std::ptr::without_provenance;
use std::{fmt, fs, io};

use leakcheck_ledger::thread::Thread;
use leakcheck_ledger::thread::memory::{addresses_of, thread_pointer, tid};
use leakcheck_ledger::thread::running::UNNAMED;
use leakcheck_report::order;
use leakcheck_system::spare_fd;

/// The state of a thread right before a snapshot.
#[derive(Debug, Default)]
pub(crate) struct ThreadState {
    pub(crate) tid: i32,
    /// The thread pointer, or 0 if the thread has never allocated and it is therefore unknown.
    pub(crate) pointer: usize,
    /// The stack pointer, or 0 if the thread is running and it is therefore unknown.
    pub(crate) stack_pointer: usize,
    /// The bounds of the stack: the start of its mapping, and the first address above it.
    pub(crate) low: usize,
    pub(crate) top: usize,
    pub(crate) name: String,
    /// The address of leakcheck's record of the thread, or 0.
    thread: usize,
}

impl ThreadState {
    /// Whether the thread works for the test harness or for another check.
    ///
    /// # Safety
    ///
    /// Must only be called in the child of a snapshot, where no thread changes the record.
    pub(crate) unsafe fn is_harness(&self) -> bool {
        let thread = without_provenance::<Thread>(self.thread);
        // SAFETY: records of threads are never freed, and the caller guarantees that no thread
        // changes this one.
        !thread.is_null() && unsafe { &*thread }.is_harness()
    }
}

/// Lists all threads, the calling one first.
///
/// # Errors
///
/// Returns an error where threads or their stacks cannot be listed: what they hold would be called
/// lost.
pub(crate) fn all(stack_pointer: usize) -> Result<Vec<ThreadState>, Unreadable> {
    let own = tid();
    let mappings = mappings_where(|access, _| access.starts_with("rw"))?;
    let mut threads = Vec::new();
    for tid in tids()? {
        let is_own = tid == own;
        let (pointer, thread) = addresses_of(tid);
        let pointer = if is_own { thread_pointer() } else { pointer };
        let stack_pointer = if is_own { stack_pointer } else { stack_pointer_of(tid) };
        // A thread's control block is above its stack in the same mapping, except for the main
        // thread's.
        let inside = if stack_pointer != 0 { stack_pointer } else { pointer };
        let mapping = mappings.iter().find(|mapping| mapping.contains(&inside));
        let Some(mapping) = mapping else { continue };
        let above = pointer >= inside && pointer < mapping.end;
        let top = if above { pointer } else { mapping.end };
        let name = spare_fd::with(|| fs::read_to_string(format!("{TASKS}/{tid}/comm")));
        // A thread may have ended meanwhile.
        let name = name.unwrap_or_default().trim_end_matches('\n').to_owned();
        threads.push(ThreadState {
            tid,
            pointer,
            stack_pointer,
            low: mapping.start,
            top,
            name,
            thread,
        });
    }
    order::sort_by_key(&mut threads, |thread| thread.tid != own);
    // A thread that has not set a name inherits that of its creator.
    let own_name = threads.first().map(|thread| thread.name.clone()).unwrap_or_default();
    for thread in threads.iter_mut().skip(1).filter(|thread| thread.name == own_name) {
        UNNAMED.clone_into(&mut thread.name);
    }
    Ok(threads)
}

/// Why threads and their stacks are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(String);

impl Unreadable {
    pub(crate) fn new(path: &str, error: &io::Error) -> Self {
        Self(format!("threads cannot be listed: `{path}` cannot be read ({error})"))
    }

    /// The kernel does not say which pages are present.
    pub(crate) fn pages(error: &io::Error) -> Self {
        Self(format!("memory cannot be searched: the kernel refuses `mincore` ({error})"))
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const TASKS: &str = "/proc/self/task";
const MAPS: &str = "/proc/self/maps";

fn tids() -> Result<Vec<i32>, Unreadable> {
    let list = || {
        let tasks = fs::read_dir(TASKS)?.collect::<io::Result<Vec<fs::DirEntry>>>()?;
        Ok(tasks.iter().filter_map(|task| task.file_name().to_str()?.parse().ok()).collect())
    };
    spare_fd::with(list).map_err(|error| Unreadable::new(TASKS, &error))
}

/// The stack pointer of a thread that waits in the kernel, or 0 while it runs.
pub(crate) fn stack_pointer_of(tid: i32) -> usize {
    let line = spare_fd::with(|| fs::read_to_string(format!("{TASKS}/{tid}/syscall")));
    // Where it cannot be read, all of the stack may be in use.
    let line = line.unwrap_or_default();
    // The file contains the number of the system call, six arguments, the stack pointer and the
    // program counter. A thread that is blocked elsewhere has no number and no arguments.
    let mut words = line.split_whitespace().rev();
    let stack_pointer = words.nth(1).and_then(|word| word.strip_prefix("0x"));
    stack_pointer.and_then(|word| usize::from_str_radix(word, 16).ok()).unwrap_or(0)
}

/// The writable mappings without a file: heaps and anonymous memory.
///
/// # Errors
///
/// Returns an error where mappings cannot be listed.
pub(crate) fn private_mappings() -> Result<Vec<Range<usize>>, Unreadable> {
    let is_private = |access: &str, path: &str| {
        let is_anonymous = path.is_empty() || path == "[heap]" || path.starts_with("[anon");
        access.starts_with("rw") && access.ends_with('p') && is_anonymous
    };
    mappings_where(is_private)
}

/// The mappings that must not be read.
///
/// # Errors
///
/// Returns an error where mappings cannot be listed.
pub(crate) fn unreadable_mappings() -> Result<Vec<Range<usize>>, Unreadable> {
    mappings_where(|access, _| !access.starts_with('r'))
}

/// The mappings with a certain access and path, in ascending order.
fn mappings_where(wanted: impl Fn(&str, &str) -> bool) -> Result<Vec<Range<usize>>, Unreadable> {
    let maps = spare_fd::with(|| fs::read_to_string(MAPS))
        .map_err(|error| Unreadable::new(MAPS, &error))?;
    let mapping = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let access = words.next()?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        wanted(access, words.nth(3).unwrap_or_default()).then_some(number(start)?..number(end)?)
    };
    Ok(maps.lines().filter_map(mapping).collect())
}
