//! A workspace that the tests of the command share.

use std::sync::OnceLock;

use serde_json::Value;

use super::project::Project;
use super::{Folder, Said};

/// A workspace of two packages whose tests are controlled by the variable `SHOP`. Tests must not
/// change it.
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

/// Runs the command in the shop with these words in `SHOP`.
pub(crate) fn visit(words: &str, args: &[&str]) -> Said {
    Said::of(shop().command(args).env("SHOP", words).output().unwrap())
}

/// The same; also returns the run as JSON.
pub(crate) fn visit_for_json(words: &str, args: &[&str], code: i32) -> (Said, Value) {
    let folder = Folder::new();
    let path = folder.path().join("run.json");
    let report = format!("--report={}", path.display());
    let (flags, libtest) =
        args.split_at(args.iter().position(|arg| *arg == "--").unwrap_or(args.len()));
    let args: Vec<&str> =
        flags.iter().copied().chain([report.as_str()]).chain(libtest.iter().copied()).collect();
    let said = visit(words, &args).ends_with(code);
    let run = serde_json::from_str(&folder.read("run.json")).unwrap();
    (said, run)
}

#[track_caller]
pub(crate) fn status(run: &Value, id: &str) -> String {
    let tests = run["tests"].as_array().unwrap();
    let is_it = |test: &&Value| {
        format!("{}::{}", test["target"].as_str().unwrap(), test["name"].as_str().unwrap()) == id
    };
    let test = tests.iter().find(is_it).unwrap_or_else(|| panic!("no `{id}` in {tests:#?}"));
    test["status"].as_str().unwrap().to_owned()
}

const CART: &str = r##"
pub fn keep(bytes: usize) {
    std::mem::forget(vec![0_u8; bytes]);
}

pub fn lose(bytes: usize) {
    std::mem::forget(vec![1_u8; bytes]);
}

/// Whether `SHOP` contains a word.
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
        if does("no_room") {
            let reports = std::env::var_os("LEAK_REPORT_DIR").unwrap();
            std::fs::write(std::path::Path::new(&reports).join("cart"), "").unwrap();
        }
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
        if std::env::var("SHOP").is_ok_and(|words| words.contains("no_room")) {
            let reports = std::env::var_os("LEAK_REPORT_DIR").unwrap();
            std::fs::write(std::path::Path::new(&reports).join("till"), "").unwrap();
        }
        if std::env::var("SHOP").is_ok_and(|words| words.contains("till")) {
            std::mem::forget(vec![0_u8; 3 << 20]);
        }
    }

    #[test] #[ignore = "slow"]
    fn is_ignored() {}
}
"#;
