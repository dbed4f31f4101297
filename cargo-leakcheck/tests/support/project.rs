//! Throw-away projects.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Folder, Said, leakcheck};

/// A project in a directory of its own. All are built into one target directory.
pub(crate) struct Project(Folder);

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../leakcheck");

impl Project {
    /// Of files, given with their paths. `$LEAKCHECK` stands for the path of the library.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        for (path, text) in files {
            folder.write(path, text.replace("$LEAKCHECK", LIBRARY));
        }
        // The same versions of everything, and no question to a registry.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        folder.write("Cargo.lock", std::fs::read(lock).unwrap());
        Self(folder)
    }

    /// A package called `app` with this library and one line of a manifest more.
    pub(crate) fn app(manifest: &str, library: &str) -> Self {
        // To cargo, packages of one name and version are one in a shared target directory, wherever they lie.
        static VERSION: AtomicU32 = AtomicU32::new(1);
        let version = VERSION.fetch_add(1, Ordering::Relaxed);
        let manifest = format!(
            "[package]\nname = \"app\"\nversion = \"0.1.{version}\"\nedition = \"2024\"\n\n[dev-dependencies]\nleakcheck = {{ path \
             = \"$LEAKCHECK\" }}\n\n[workspace]\n{manifest}"
        );
        Self::new(&[("Cargo.toml", &manifest), ("src/lib.rs", library)])
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.0
    }

    /// The command in this project, to be told more.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = leakcheck(self.path(), args);
        command.env("CARGO_TARGET_DIR", target());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().unwrap())
    }
}

/// Where projects are built.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects")
}

/// A workspace of two packages whose tests do what the variable `SHOP` says. It is not to be changed.
pub(crate) fn shop() -> &'static Project {
    static SHOP: OnceLock<Project> = OnceLock::new();
    SHOP.get_or_init(|| {
        Project::new(&[
            (
                "Cargo.toml",
                "[workspace]\nresolver = \"3\"\nmembers = [\"cart\", \"till\"]\n\n[workspace.metadata.leakcheck]\ntop = 2\n",
            ),
            (
                "cart/Cargo.toml",
                "[package]\nname = \"cart\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dev-dependencies]\nleakcheck = { path \
                 = \"$LEAKCHECK\" }\n",
            ),
            ("cart/src/lib.rs", CART),
            ("cart/tests/api.rs", API),
            (
                "till/Cargo.toml",
                "[package]\nname = \"till\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dev-dependencies]\nleakcheck = { path \
                 = \"$LEAKCHECK\" }\n",
            ),
            ("till/src/lib.rs", TILL),
        ])
    })
}

const CART: &str = r##"
pub fn keep(bytes: usize) {
    std::mem::forget(vec![0_u8; bytes]);
}

pub fn lose(bytes: usize) {
    std::mem::forget(vec![1_u8; bytes]);
}

/// Whether `SHOP` has a word.
pub fn does(word: &str) -> bool {
    std::env::var("SHOP").is_ok_and(|words| words.split(',').any(|known| known == word))
}

#[cfg(test)]
leakcheck::check_all!();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_clean() {}

    #[test]
    fn may_leak() {
        if does("leak") {
            keep(3 << 20);
        }
        if does("leak_more") {
            keep(5 << 20);
        }
        if does("leak_elsewhere") {
            lose(2 << 20);
        }
        if does("peak") {
            drop(vec![0_u8; 9 << 20]);
        }
    }

    #[test]
    fn may_fail() {
        assert!(!does("fail"), "the cart is broken");
    }

    #[test]
    fn may_end_the_process() {
        if does("abort") {
            std::process::abort();
        }
        if does("exit") {
            std::process::exit(0);
        }
    }

    #[test]
    fn may_spoil_the_reports() {
        let Some(directory) = std::env::var_os("LEAK_REPORT_DIR") else { return };
        let directory = std::path::Path::new(&directory).join("cart");
        if does("half") {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("half.json"), r#"{ "schema": 1, "leakcheck": "0.1"#).unwrap();
        }
        if does("newer") {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("newer.json"), r#"{ "schema": 99, "leakcheck": "9.0.0" }"#).unwrap();
        }
        if does("cut_off") {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(".tests__x.1-2.tmp"), "{").unwrap();
        }
    }

    #[test]
    fn may_have_a_bad_name() {
        if does("bad_name") {
            let name = "<script>alert(1)</script>\u{1b}[31m\n::error::x";
            leakcheck::check(leakcheck::Options::new().name(name).threshold_bytes(0), || keep(10));
        }
    }
}
"##;

const API: &str = r#"
leakcheck::check_all!();

#[test]
fn is_an_integration_test() {
    if cart::does("leak") {
        cart::keep(3 << 20);
    }
}
"#;

const TILL: &str = r#"
#[cfg(test)]
#[leakcheck::leak_check]
mod tests {
    #[test]
    fn keeps_little() {
        std::mem::forget(vec![0_u8; 1000]);
    }

    #[leakcheck::leak_check(skip = "counts in the background")]
    #[test]
    fn is_skipped() {}

    #[leakcheck::leak_check(threshold_mb = 2)]
    #[test]
    fn has_a_limit_of_its_own() {
        if std::env::var("SHOP").is_ok_and(|words| words.contains("till")) {
            std::mem::forget(vec![0_u8; 3 << 20]);
        }
    }

    #[test] #[ignore = "slow"]
    fn is_ignored() {}
}
"#;
