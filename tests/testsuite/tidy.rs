//! Rules for all files of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::project::{File, files, published, read, root};

#[test]
fn a_source_file_of_the_library_is_at_most_600_lines_long() {
    for file in files().iter().filter(|file| file.is_rust() && file.path.starts_with("leakcheck")) {
        let lines = file.text().lines().count();
        assert!(lines <= 600, "{} has {lines} lines", file.path);
    }
}

#[test]
fn nothing_is_left_to_be_done() {
    // The words are changed here so that this file does not match.
    let words =
        ["TO_DO", "FIX_ME", "to_do!(", "un_implemented!("].map(|word| word.replace('_', ""));
    for file in files().iter().filter(|file| file.is_rust()) {
        let text = file.text();
        for (number, line) in text.lines().enumerate() {
            let word = words.iter().find(|word| line.contains(*word));
            let place = format!("{}:{}", file.path, number + 1);
            assert!(word.is_none(), "{place} has `{}`", word.unwrap());
            assert!(!line.trim_start().starts_with("#[ignore"), "{place} leaves a test out");
        }
    }
}

#[test]
fn sources_end_with_a_newline_and_no_line_ends_with_a_space() {
    for file in files().iter().filter(|file| file.is_rust() || file.has_extension("toml")) {
        let text = file.text();
        assert!(text.is_empty() || text.ends_with('\n'), "{}", file.path);
        assert!(
            text.lines().all(|line| line.trim_end() == line),
            "{} has a space at a line's end",
            file.path
        );
    }
}

#[test]
fn published_crates_are_held_to_the_lints_of_the_workspace() {
    let published = published();
    assert!(published.len() >= 2, "the library and its macros: {published:?}");
    for krate in published {
        let manifest = read(&format!("{krate}/Cargo.toml"));
        let lints = manifest.split("[lints]\n").nth(1).unwrap_or_default();
        assert!(lints.starts_with("workspace = true"), "{krate}");
        for inherited in ["version", "edition", "rust-version", "license"] {
            assert!(
                manifest.contains(&format!("{inherited}.workspace = true\n")),
                "{krate}: {inherited}"
            );
        }
    }
}

#[test]
fn no_modules_at_the_top_of_a_crate_import_each_other_in_a_cycle() {
    let mut seen = 0;
    for krate in published() {
        let imports = imports_of(&format!("{krate}/src/"));
        seen += imports.values().map(BTreeMap::len).sum::<usize>();
        if let Some(cycle) = cycle_in(&imports) {
            let steps: Vec<String> = cycle
                .iter()
                .zip(cycle.iter().cycle().skip(1))
                .map(|(from, to)| format!("{} imports `crate::{to}`", imports[*from][*to]))
                .collect();
            panic!("modules of {krate} import each other: {}", steps.join(", "));
        }
    }
    assert!(seen > 100, "{seen} imports");
}

#[test]
fn every_published_crate_has_the_licenses() {
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        let text = read(license);
        for krate in published() {
            assert!(read(&format!("{krate}/{license}")) == text, "{krate}/{license} is another");
        }
    }
}

#[test]
fn the_docs_list_every_variable_and_no_other() {
    let known = known_variables();
    assert!(known.len() >= 11, "{known:?}");
    for page in ["docs/limits-and-variables.md", "leakcheck/src/lib.rs"] {
        assert_eq!(variables(&read(page)), known, "in {page}");
    }
    for page in pages() {
        let named = variables(&page.text());
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{} names {unknown:?}", page.path);
    }
}

#[test]
fn the_docs_list_every_argument_of_the_attribute_and_no_other() {
    let names = read("leakcheck-macros/src/names.rs");
    let (_, list) = names.split_once("const ARGUMENTS: [").expect("the list of arguments");
    let list = list.split("];").next().unwrap_or_default();
    let known: BTreeSet<&str> =
        list.split("(\"").skip(1).filter_map(|entry| entry.split('"').next()).collect();
    assert!(known.len() >= 18, "{known:?}");

    let page = read("docs/attribute.md");
    assert_eq!(rows(section(&page, "## Arguments")), known, "in docs/attribute.md");
    let docs = read("leakcheck-macros/src/lib.rs").replace("/// ", "");
    assert_eq!(rows(section(&docs, "# Arguments")), known, "in leakcheck-macros/src/lib.rs");
}

#[test]
fn the_architecture_lists_the_files_with_unsafe_and_no_other() {
    let page = read("ARCHITECTURE.md");
    let mut listed = BTreeSet::new();
    for row in section(&page, "## Where `unsafe` is").lines().filter(|line| line.starts_with("| `"))
    {
        let mut quoted = row.split('`').skip(1).step_by(2);
        let folder = quoted.next().expect("a row begins with a folder");
        for names in quoted {
            listed.extend(expanded(names).into_iter().map(|name| format!("{folder}/{name}")));
        }
    }
    let published = published();
    let in_published = |file: &&File| {
        let is_source = |krate: &String| file.path.starts_with(&format!("{krate}/src/"));
        file.is_rust() && published.iter().any(is_source)
    };
    let found: BTreeSet<String> = files()
        .iter()
        .filter(in_published)
        .filter(|file| !file.path.contains("/tests/") && !file.path.ends_with("/tests.rs"))
        .filter(|file| has_unsafe(&file.text()))
        .map(|file| file.path.clone())
        .collect();
    let missing: Vec<_> = found.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&found).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not list {missing:?}");
    assert!(stale.is_empty(), "ARCHITECTURE.md lists {stale:?}, which have no `unsafe`");
}

#[test]
fn the_files_that_the_architecture_names_exist() {
    let page = read("ARCHITECTURE.md");
    let files = files();
    let is_in_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-' | '.');
    let words = page.split(|c| !is_in_path(c)).filter(|word| word.len() > 3);
    for name in words.filter(|word| word.ends_with(".rs") && !word.starts_with('.')) {
        let known =
            files.iter().any(|file| format!("/{}", file.path).ends_with(&format!("/{name}")));
        assert!(known, "ARCHITECTURE.md names `{name}`");
    }
}

#[test]
fn the_recommended_lines_are_those_that_are_measured() {
    let measured = read("benches/src/profile.rs");
    let (_, list) = measured.split_once("RECOMMENDED: [").expect("the list of packages");
    let list = list.split(';').nth(1).unwrap_or_default();
    let packages: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(!packages.is_empty(), "{list}");
    for page in ["docs/cost.md", "benches/README.md"] {
        let text = read(page);
        let (_, lines) = text.split_once("[profile.dev.package]\n").expect("the table is there");
        let lines = lines.split("```").next().unwrap_or_default();
        let named: Vec<&str> = lines.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(named, packages, "in {page}");
    }
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 200, "README.md has {lines} lines; reference material goes to docs/");
}

#[test]
fn the_commands_of_the_pages_can_be_run() {
    for page in pages() {
        for command in commands(&page.text()) {
            check_command(&page.path, command);
        }
    }
    let readme = read("README.md");
    assert!(commands(&readme).count() >= 2, "README has commands");
}

#[test]
fn links_inside_the_project_lead_somewhere() {
    for page in pages() {
        let text = page.text();
        let here = root().join(&page.path);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = match path {
                "" => here.clone(),
                path => here.parent().expect("a file is in a directory").join(path),
            };
            assert!(file.exists(), "{} links to `{target}`", page.path);
            let known = heading.is_empty()
                || anchors(&fs::read_to_string(file).unwrap_or_default()).contains(heading);
            assert!(known, "{} links to `{target}`, which has no such heading", page.path);
        }
    }
}

/// The pages of documentation.
fn pages() -> Vec<File> {
    files().into_iter().filter(|file| file.has_extension("md")).collect()
}

/// Every variable that the library knows.
fn known_variables() -> BTreeSet<String> {
    let settings = read("leakcheck/src/settings.rs");
    let (_, list) = settings.split_once("VARIABLES: [").expect("the list of variables");
    variables(list.split(']').nth(1).expect("the values of the list"))
}

/// The text from a heading to the next one.
#[track_caller]
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("{heading}\n")).expect("the heading is there");
    rest.split("\n#").next().unwrap_or_default()
}

/// The first word in the first column of each row of a table.
fn rows(text: &str) -> BTreeSet<&str> {
    let first = text.lines().filter_map(|line| line.strip_prefix("| `"));
    first.filter_map(|row| row.split([' ', '`']).next()).collect()
}

/// The modules that each top-level module of a crate imports, and the importing file.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

fn imports_of(folder: &str) -> Imports {
    let files = files();
    let sources: Vec<(&str, &File)> = files
        .iter()
        .filter(|file| file.is_rust())
        .filter_map(|file| Some((file.path.strip_prefix(folder)?, file)))
        .collect();
    let module =
        |path: &str| path.split(['/', '.']).next().expect("a path has a first part").to_owned();
    let modules: BTreeSet<String> = sources.iter().map(|(path, _)| module(path)).collect();
    let mut imports = Imports::new();
    for (path, file) in sources {
        let from = module(path);
        if ["lib", "main"].contains(&from.as_str()) || path.contains("tests") {
            continue;
        }
        // Unit tests come last in a file, and may use everything.
        let text = file.text();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let code = code.split("#[cfg(all(test").next().unwrap_or_default();
        let code: Vec<&str> = code.lines().filter_map(|line| line.split("//").next()).collect();
        for path in code.join("\n").split("crate::").skip(1) {
            for to in first_names(path).filter(|to| **to != from && modules.contains(*to)) {
                imports.entry(from.clone()).or_default().insert(to.to_owned(), file.path.clone());
            }
        }
    }
    imports
}

/// The first name in a path, or each one in a list of paths in braces.
fn first_names(path: &str) -> impl Iterator<Item = &str> {
    let list = path.strip_prefix('{').and_then(|list| list.split(";\n").next());
    let paths = list.map_or(vec![path], |list| list.split(',').map(str::trim).collect());
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    paths.into_iter().filter_map(move |path| path.split(|c| !is_name(c)).next())
}

/// A cycle of modules that import each other.
fn cycle_in(imports: &Imports) -> Option<Vec<&str>> {
    fn search<'a>(
        imports: &'a Imports,
        from: &'a str,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        if let Some(at) = path.iter().position(|module| *module == from) {
            return Some(path[at..].to_vec());
        }
        if !done.insert(from) {
            return None;
        }
        path.push(from);
        let to = imports.get(from).into_iter().flat_map(BTreeMap::keys);
        let found = to.into_iter().find_map(|to| search(imports, to, path, done));
        path.pop();
        found
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|module| search(imports, module, &mut Vec::new(), &mut done))
}

/// Expands a pattern such as `alloc/{header,installed}.rs`.
fn expanded(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let (names, after) = rest.split_once('}').expect("a brace that is opened is closed");
    names.split(',').map(|name| format!("{before}{name}{after}")).collect()
}

/// Whether code has `unsafe` in it, outside of comments.
fn has_unsafe(text: &str) -> bool {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let words: Vec<&str> = code.flat_map(str::split_whitespace).collect();
    words.windows(2).any(|pair| {
        let word = pair[0].rsplit(['(', '|', '!', '*', '&']).next().unwrap_or_default();
        let opens = ["{", "fn", "impl", "extern"].iter().any(|open| pair[1].starts_with(open));
        (word == "unsafe" && opens) || pair[0].starts_with("#[unsafe(")
    })
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

/// The variables that a text names. A list may abbreviate them, as in `LEAK_THRESHOLD_MB_UNIT`,
/// `_INTEGRATION`.
fn variables(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_uppercase() || c == '_';
    let quoted = |text: &str| {
        let parts = text.split(['`', '"', ' ', '=', '\n']);
        parts
            .filter(|part| part.len() > 1 && part.chars().all(is_word))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut found = BTreeSet::new();
    for word in quoted(text) {
        if word.starts_with("LEAK_") && word.len() > "LEAK_".len() {
            found.insert(word);
        } else if word.trim_start_matches('_').len() + 1 == word.len() {
            found.insert(format!("LEAK_THRESHOLD_MB{word}"));
        }
    }
    found
}

/// The lines of a page that call cargo, in blocks of code or in backticks.
fn commands(page: &str) -> impl Iterator<Item = &str> {
    let lines =
        page.lines().filter(|line| line.starts_with("cargo ") || line.starts_with("    cargo "));
    let inline = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.starts_with("cargo ") && !code.contains('\n'));
    // A comment, or a description, follows the command.
    lines.chain(inline).map(|line| line.trim().split(" #").next().unwrap_or_default())
}

/// Checks that the packages, tests and verbs in a command exist.
#[track_caller]
fn check_command(page: &str, command: &str) {
    let words: Vec<&str> =
        command.split("   ").next().unwrap_or_default().split_whitespace().collect();
    let behind = |flag: &str| {
        let places = words
            .iter()
            .enumerate()
            .filter(|(_, word)| **word == flag)
            .map(|(at, _)| at + 1)
            .collect::<Vec<_>>();
        places
            .into_iter()
            .filter_map(|at| words.get(at).map(|word| word.trim_matches('\'')))
            .collect::<Vec<_>>()
    };
    let packages = behind("-p");
    for package in &packages {
        assert!(folder_of(package).is_some(), "{page}: `{command}` names the package `{package}`");
    }
    for test in behind("--test").into_iter().filter(|test| *test != "*" && !test.contains('…')) {
        let folder = packages.first().and_then(|package| folder_of(package)).unwrap_or_default();
        assert!(
            read(&format!("{folder}/Cargo.toml")).contains(&format!("\"{test}\"")),
            "{page}: `{command}`"
        );
    }
    if words.get(1) == Some(&"xtask")
        && let Some(verb) = words.get(2)
    {
        let known = files().iter().any(|file| {
            file.path.starts_with("xtask/src") && file.text().contains(&format!("\"{verb}\""))
        });
        assert!(known, "{page}: `{command}` names a verb that xtask does not have");
    }
}

/// The folder of a member of the workspace.
fn folder_of(package: &str) -> Option<String> {
    let manifests = files().into_iter().filter(|file| file.path.ends_with("Cargo.toml"));
    let named =
        |file: &File| file.text().lines().any(|line| line == format!("name = \"{package}\""));
    manifests
        .into_iter()
        .find(named)
        .map(|file| file.path.trim_end_matches("/Cargo.toml").to_owned())
}
