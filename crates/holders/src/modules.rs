//! The program and its libraries, with the addresses of their statics and thread-locals.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The program or a library.
#[derive(Clone, Debug, Default)]
pub(crate) struct Module {
    pub(crate) path: PathBuf,
    /// The difference between an address in memory and in the file.
    pub(crate) bias: usize,
    /// The executable segments.
    pub(crate) code: Vec<Range<usize>>,
    /// The writable segments.
    pub(crate) statics: Vec<Range<usize>>,
    /// The dynamic linker's number of the module's thread-locals, and their size in bytes.
    pub(crate) thread_locals: Option<(usize, usize)>,
    pub(crate) is_program: bool,
}

impl Module {
    /// Whether this is the C library or the dynamic linker, whose allocator points into blocks.
    pub(crate) fn is_c_library(&self) -> bool {
        let name = self.name();
        ["libc.so", "libc-", "ld-linux", "ld-2"].iter().any(|start| name.starts_with(start))
    }

    /// The file name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Lists the program and all libraries, the program first. Takes the dynamic linker's lock.
pub(crate) fn all() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    // SAFETY: `add` expects the vector that it is passed, and keeps no pointer to it.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn add(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    modules: *mut c_void,
) -> c_int {
    // SAFETY: the dynamic linker passes a structure that is valid during the call.
    let info = unsafe { &*info };
    // SAFETY: `all` passes its vector, which nothing else accesses during the call.
    let modules = unsafe { &mut *modules.cast::<Vec<Module>>() };
    let bias = info.dlpi_addr as usize;
    // SAFETY: the program headers are mapped as long as the object is loaded, and the dynamic
    // linker unloads none during the call.
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
        // SAFETY: a name that is not null is a C string that lives as long as the object is loaded.
        let name = unsafe { CStr::from_ptr(info.dlpi_name) };
        Path::new(OsStr::from_bytes(name.to_bytes())).to_owned()
    };
    modules.push(module);
    0
}

/// The address of a thread's copy of a module's thread-locals, or `None` if it has not been
/// created.
///
/// # Safety
///
/// `pointer` must be the thread pointer of a live thread.
pub(crate) unsafe fn thread_locals_of(pointer: usize, number: usize) -> Option<usize> {
    // glibc keeps a vector of these addresses, with two words an entry. The entry before the first
    // is its length.
    const VECTOR_AT: usize = if cfg!(target_arch = "x86_64") { 8 } else { 0 };
    // SAFETY: the caller guarantees that `pointer` is to a control block, whose first words include
    // the address of the vector.
    let vector = unsafe { ((pointer + VECTOR_AT) as *const usize).read() };
    const ENTRY: usize = 16;
    // SAFETY: the vector is live and is preceded by its length.
    let length = unsafe { ((vector - ENTRY) as *const usize).read() };
    if number > length {
        return None;
    }
    // SAFETY: the number is within the length, so the entry is part of the vector.
    let address = unsafe { ((vector + number * ENTRY) as *const usize).read() };
    (address != 0 && address != usize::MAX).then_some(address)
}
