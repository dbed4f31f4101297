//! The program and its libraries: where their statics and thread-locals are.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The program or a library.
#[derive(Clone, Debug, Default)]
pub(crate) struct Module {
    pub(crate) path: PathBuf,
    /// What is added to the file's addresses.
    pub(crate) bias: usize,
    /// Memory with code.
    pub(crate) code: Vec<Range<usize>>,
    /// Writable memory: statics.
    pub(crate) statics: Vec<Range<usize>>,
    /// The number by which the dynamic linker knows its thread-locals, and how many bytes they are.
    pub(crate) thread_locals: Option<(usize, usize)>,
    pub(crate) is_program: bool,
}

impl Module {
    /// Whether it is the C library or the dynamic linker, whose own management points into blocks.
    pub(crate) fn is_c_library(&self) -> bool {
        let name = self.name();
        ["libc.so", "libc-", "ld-linux", "ld-2"].iter().any(|start| name.starts_with(start))
    }

    /// The file's name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// All of them, the program first. To be called where the dynamic linker may be asked.
pub(crate) fn all() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    // SAFETY: the callback gets what it expects, and nothing keeps the pointer.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn add(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    modules: *mut c_void,
) -> c_int {
    // SAFETY: the dynamic linker hands out a structure that is good for the time of the call.
    let info = unsafe { &*info };
    // SAFETY: `all` gave its vector for this.
    let modules = unsafe { &mut *modules.cast::<Vec<Module>>() };
    let bias = info.dlpi_addr as usize;
    // SAFETY: the program headers of a loaded object stay in memory as long as it does.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let mut module = Module { bias, is_program: modules.is_empty(), ..Module::default() };
    for header in headers {
        let start = bias.wrapping_add(header.p_vaddr as usize);
        let end = start.wrapping_add(header.p_memsz as usize);
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0 {
            module.code.push(start..end);
        }
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W != 0 {
            module.statics.push(start..end);
        }
        if header.p_type == libc::PT_TLS && info.dlpi_tls_modid != 0 {
            module.thread_locals = Some((info.dlpi_tls_modid, header.p_memsz as usize));
        }
    }
    module.path = if module.is_program || info.dlpi_name.is_null() {
        std::env::current_exe().unwrap_or_default()
    } else {
        // SAFETY: the name is a C string that lives as long as the object is loaded.
        let name = unsafe { CStr::from_ptr(info.dlpi_name) };
        Path::new(OsStr::from_bytes(name.to_bytes())).to_owned()
    };
    modules.push(module);
    0
}

/// Where a thread's copy of a module's thread-locals is, `None` where it has none by now.
///
/// # Safety
///
/// `pointer` must be the thread pointer of a thread that lives.
pub(crate) unsafe fn thread_locals_of(pointer: usize, number: usize) -> Option<usize> {
    // glibc keeps a vector of these addresses, two words each, behind the word of its length.
    const VECTOR_AT: usize = if cfg!(target_arch = "x86_64") { 8 } else { 0 };
    // SAFETY: the caller's promise; the control block begins with these words.
    let vector = unsafe { ((pointer + VECTOR_AT) as *const usize).read() };
    const ENTRY: usize = 16;
    // SAFETY: the vector has its length in front.
    let length = unsafe { ((vector - ENTRY) as *const usize).read() };
    if number > length {
        return None;
    }
    // SAFETY: the number is not above the length.
    let place = unsafe { ((vector + number * ENTRY) as *const usize).read() };
    (place != 0 && place != usize::MAX).then_some(place)
}
