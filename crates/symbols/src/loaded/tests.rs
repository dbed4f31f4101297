//! Names in libraries that are built in many ways.

use std::ffi::{CString, c_int, c_void};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::object::Object;
use super::{Call, Loaded};

const SOURCE: &str = include_str!("tests/library.rs");

static RETURNED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Records the call stack. The library calls this function.
extern "C" fn record_stack() {
    let mut frames = [null_mut(); 64];
    // SAFETY: the array has room for the number of frames that is passed.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), frames.len() as c_int) };
    *RETURNED.lock().unwrap() = frames[..count as usize].iter().map(|frame| frame.addr()).collect();
}

/// A library in a folder of its own, which is removed with it.
struct Library {
    folder: PathBuf,
    file: PathBuf,
}

impl Library {
    /// Compiles the library with these options, under a name that no other test uses.
    fn build(name: &str, options: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("leakcheck-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("library.rs"), SOURCE).unwrap();
        let file = folder.join(format!("lib{name}.so"));
        run(Command::new("rustc")
            .current_dir(&folder)
            .args(["library.rs", "--edition=2024", "-Cpanic=abort", "-Copt-level=1", "-o"])
            .arg(&file)
            .args(options));
        Self { folder, file }
    }

    /// Runs a tool on the library.
    fn then(self, tool: &str, arguments: &[&str]) -> Self {
        run(Command::new(tool).current_dir(&self.folder).args(arguments).arg(&self.file));
        self
    }

    /// The calls within the library when it calls back.
    fn calls(&self) -> Vec<Call> {
        let path = CString::new(self.file.as_os_str().as_bytes()).unwrap();
        // SAFETY: the library has no initializers.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null());
        // SAFETY: the library stays loaded, and the name is a C string.
        let outer = unsafe { libc::dlsym(library, c"outer".as_ptr()) };
        assert!(!outer.is_null());
        // SAFETY: the library defines the function with this type.
        let outer: extern "C" fn(extern "C" fn()) =
            unsafe { std::mem::transmute::<*mut c_void, _>(outer) };
        let returned = {
            static ONE: Mutex<()> = Mutex::new(());
            let _one = ONE.lock().unwrap();
            outer(record_stack);
            RETURNED.lock().unwrap().clone()
        };
        let maps = super::FileMappings::of_process().unwrap();
        let is_inside =
            |address: &usize| maps.find(*address as u64).is_some_and(|(path, _)| path == self.file);
        let inside: Vec<usize> = returned.into_iter().filter(is_inside).collect();
        Loaded::default().calls(&inside).concat()
    }

    /// Asserts that the calls have names and lines: the inlined function, the one it is inlined
    /// into, and its caller.
    #[track_caller]
    fn check_lines(&self) {
        let call = |function: &str, marker: &str| Call {
            function: Some(function.into()),
            file: Some(self.folder.join("library.rs")),
            line: SOURCE.lines().position(|line| line.contains(marker)).map(|line| line as u32 + 1),
        };
        let mut calls = self.calls();
        // Line tables name an inlined function without its crate.
        if calls[0].function.as_deref() == Some("inlined") {
            calls[0].function = Some("library::inlined".into());
        }
        let expected = [
            call("library::inlined", "// Calls back."),
            call("library::inner", "// Is inlined."),
            call("outer", "// Calls."),
        ];
        assert_eq!(calls, expected);
    }

    /// Asserts that the calls have names from the symbol table, and no lines.
    #[track_caller]
    fn check_functions(&self, expected: &[&str]) {
        let calls = self.calls();
        let functions: Vec<&str> =
            calls.iter().filter_map(|call| call.function.as_deref()).collect();
        assert_eq!(functions, expected);
        assert!(calls.iter().all(|call| call.file.is_none() && call.line.is_none()), "{calls:?}");
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_library_with_debug_information_has_lines() {
    Library::build("full", &["-Cdebuginfo=full"]).check_lines();
}

#[test]
fn line_tables_are_enough() {
    Library::build("lines", &["-Cdebuginfo=line-tables-only"]).check_lines();
}

#[test]
fn the_newer_format_has_lines() {
    Library::build("dwarf5", &["-Cdebuginfo=full", "-Cdwarf-version=5"]).check_lines();
}

#[test]
fn units_that_are_in_no_table_are_found() {
    Library::build("table", &["-Cdebuginfo=full"])
        .then("objcopy", &["--remove-section=.debug_aranges"])
        .check_lines();
}

#[test]
fn what_was_split_off_is_found_beside_the_objects() {
    for (name, version) in [("dwo4", "-Cdwarf-version=4"), ("dwo5", "-Cdwarf-version=5")] {
        let options = ["-Cdebuginfo=full", "-Csplit-debuginfo=unpacked", version];
        Library::build(name, &options).check_lines();
    }
}

#[test]
fn what_was_split_off_is_found_in_a_package() {
    for (name, version) in [("dwp4", "-Cdwarf-version=4"), ("dwp5", "-Cdwarf-version=5")] {
        let options = ["-Cdebuginfo=full", "-Csplit-debuginfo=packed", version];
        Library::build(name, &options).check_lines();
    }
}

#[test]
fn compressed_sections_are_inflated() {
    for kind in ["zlib-gabi", "zlib-gnu"] {
        let compress = format!("--compress-debug-sections={kind}");
        Library::build(kind, &["-Cdebuginfo=full"]).then("objcopy", &[&compress]).check_lines();
    }
}

#[test]
fn a_stripped_library_has_lines_by_the_file_that_it_links_to() {
    let library = Library::build("link", &["-Cdebuginfo=full"]);
    let debug = library.folder.join("link.debug");
    run(Command::new("objcopy").arg("--only-keep-debug").arg(&library.file).arg(&debug));
    library.then("strip", &[]).then("objcopy", &["--add-gnu-debuglink=link.debug"]).check_lines();
}

#[test]
fn without_debug_information_functions_have_names() {
    Library::build("none", &["-Cdebuginfo=none"]).check_functions(&["library::inner", "outer"]);
}

#[test]
fn a_stripped_library_has_the_names_that_others_call_it_by() {
    Library::build("stripped", &["-Cdebuginfo=full"])
        .then("strip", &[])
        .check_functions(&["outer"]);
}

#[test]
fn damaged_files_are_not_trusted() {
    let library = Library::build("damaged", &["-Cdebuginfo=full", "-Cdwarf-version=5"]);
    let sound = fs::read(&library.file).unwrap();
    let named = |offsets: &[u64]| -> Vec<u64> {
        let calls = Object::open(&library.file).map_or(Vec::new(), |object| object.calls(offsets));
        let named = offsets.iter().zip(calls).filter(|(_, calls)| !calls.is_empty());
        named.map(|(offset, _)| *offset).collect()
    };
    let offsets = named(&(0..sound.len() as u64).step_by(8).collect::<Vec<_>>());
    let mut seed = 1_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let mut found = 0;
    for _ in 0..300 {
        let mut damaged = sound.clone();
        for _ in 0..=random(40) {
            let index = 16 + random(damaged.len() - 16);
            damaged[index] = [0, 0xff, 0x80, random(256) as u8][random(4)];
        }
        if random(8) == 0 {
            damaged.truncate(random(damaged.len()));
        }
        fs::write(&library.file, damaged).unwrap();
        found += named(&offsets).len();
    }
    let all = 300 * offsets.len();
    assert!(all / 4 < found && found < all, "some of it is still sound: {found} of {all}");
}

#[test]
fn files_stay_open_from_the_second_look_up_on() {
    let here = files_stay_open_from_the_second_look_up_on as *const () as usize + 1;
    let mut loaded = Loaded::default();
    let open = |loaded: &Loaded| loaded.files.values().filter(|file| file.object.is_some()).count();
    let first = loaded.calls(&[here]);
    assert_eq!(open(&loaded), 0);
    for _ in 0..2 {
        assert_eq!(loaded.calls(&[here]), first);
        assert_eq!(open(&loaded), 1);
    }
}

#[test]
fn a_file_that_was_written_anew_is_opened_anew() {
    let library = Library::build("anew", &["-Cdebuginfo=full"]);
    let mut loaded = Loaded::default();
    let offsets: Vec<u64> = (0..0x8000).collect();
    let mut named = || {
        let calls = loaded.calls_in(&library.file, &offsets).unwrap_or_default();
        calls.concat().iter().any(|call| call.line.is_some())
    };
    assert!(named() && named() && named());
    run(Command::new("strip").arg(&library.file));
    assert!(!named() && !named());
    fs::remove_file(&library.file).unwrap();
    assert!(!named());
}

/// A lock held by a thread that does not exist in the child would block it forever.
#[test]
fn a_child_of_a_fork_has_names_while_others_look_up() {
    let here = a_child_of_a_fork_has_names_while_others_look_up as *const () as usize + 1;
    let look_up = || {
        crate::forget(&(here..here + 1));
        let stack = crate::CallStack { id: 1, addresses: vec![here] };
        crate::frames(&stack).iter().any(|frame| frame.line.is_some())
    };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                look_up();
            }
        });
        let statuses = [(); 5].map(|()| in_child(look_up));
        over.store(true, Ordering::Relaxed);
        assert_eq!(statuses, [0; 5]);
    });
}

/// Runs a closure in the child of a fork. Returns the wait status, which is 0 if the closure
/// returned `true`.
fn in_child(holds: impl Fn() -> bool) -> c_int {
    let mut status = -1;
    // SAFETY: the child runs only the closure, which takes locks that fork handlers release, and
    // exits without running exit handlers.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: the default action of the signal is to terminate the process.
            unsafe { libc::alarm(60) };
            let code = if holds() { 0 } else { 1 };
            // SAFETY: `_exit` skips the parent's exit handlers, which must not run twice.
            unsafe { libc::_exit(code) }
        }
        // SAFETY: `status` outlives the call.
        child => unsafe { libc::waitpid(child, &raw mut status, 0) },
    };
    status
}
