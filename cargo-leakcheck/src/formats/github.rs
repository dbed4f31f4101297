//! GitHub Actions: annotations at the lines that allocate.

use crate::model::{Run, Status};

/// GitHub shows ten annotations per step. The summary has the rest.
const MOST: usize = 10;

/// The workflow commands, one per line.
pub(crate) fn annotations(run: &Run) -> String {
    let mut lines = Vec::new();
    let level = if run.meta.warn_only { "warning" } else { "error" };
    for problem in &run.problems {
        lines.push(format!("::error title=leakcheck::{}", data(problem)));
    }
    for leak in super::leaks(run).filter(|leak| !leak.known) {
        let place = leak.place();
        let place = place.map(|(file, line)| format!("file={},line={line},", property(file)));
        let title = property(&format!("{} leaks", leak.test.name));
        let place = place.unwrap_or_default();
        lines.push(format!("::{level} {place}title={title}::{}", data(&leak.words())));
    }
    for test in run.tests.iter().filter(|test| test.status == Status::Regressed) {
        let check = test.check.as_ref();
        let place = check.and_then(|check| Some((check.file.as_deref()?, check.line?)));
        let place = place.map(|(file, line)| format!("file={},line={line},", property(file)));
        let place = place.unwrap_or_default();
        let title = property(&format!("{} needs more memory", test.name));
        lines.push(format!("::{level} {place}title={title}::{}", data(&super::headline(test))));
    }
    lines.truncate(MOST);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Escapes a message for a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_is_called_cannot_give_orders() {
        assert_eq!(data("a\n::error::b 100%"), "a%0A::error::b 100%25");
        assert_eq!(property("src/a,b:c\n"), "src/a%2Cb%3Ac%0A");
    }
}
