//! Settings as `cargo leakcheck config` shows them.

use leakcheck_report::Kind;
use leakcheck_report::format::size;

use super::Settings;
use super::source::{Place, SettingSource};
use crate::output::shown;

/// One line for each setting: its name, its value and its source.
pub(crate) fn show(settings: &Settings) -> String {
    let mut lines: Vec<(String, String, String)> = Vec::new();
    let mut line = |name: &str, value: String, source: &SettingSource| {
        lines.push((name.to_owned(), value, source.to_string()));
    };
    match &settings.threshold_mb {
        Some(limit) => line("threshold_mb", format!("{} (every test)", limit.value), &limit.source),
        None => line("threshold_mb", "not set".to_owned(), &SettingSource::Default),
    }
    for (kind, limit) in Kind::ALL.iter().zip(&settings.kinds) {
        line(&format!("limits.{}", kind.name()), format!("{} MiB", limit.value), &limit.source);
    }
    for rule in &settings.tests {
        let bytes = size(rule.bytes);
        line("tests", format!("`{}` up to {bytes}", rule.tests.text()), &rule.source);
    }
    for skip in &settings.skip {
        line("skip", format!("`{}`: {}", skip.tests.text(), skip.why), &skip.source);
    }
    if let Some(file) = &settings.suppressions_file {
        line("suppressions", file.value.clone(), &file.source);
    }
    for suppression in &settings.suppressions {
        let value = format!("`{}`: {}", suppression.leak, suppression.why);
        line("suppress", value, &SettingSource::Manifest(Place::Table("suppress")));
    }
    match &settings.iterations {
        Some(n) => line("iterations", n.value.to_string(), &n.source),
        None => line("iterations", "set by each test".to_owned(), &SettingSource::Default),
    }
    line("stacks", settings.stacks.value.name().to_owned(), &settings.stacks.source);
    line("timeline", settings.timeline.value.to_string(), &settings.timeline.source);
    line("top", settings.top.value.to_string(), &settings.top.source);
    line("warn_only", settings.warn_only.value.to_string(), &settings.warn_only.source);
    let runner = format!("{:?}", settings.runner.value).to_lowercase();
    line("runner", runner, &settings.runner.source);
    line("optimize", settings.optimize.value.to_string(), &settings.optimize.source);
    let baseline = settings.baseline.value.as_deref().map_or("none".to_owned(), |path| {
        let missing = if path.is_file() { "" } else { " (does not exist)" };
        format!("{}{missing}", shown(path))
    });
    line("baseline", baseline, &settings.baseline.source);
    line("tolerance", settings.tolerance.value.to_string(), &settings.tolerance.source);
    match &settings.history {
        Some(dir) => line("history", shown(&dir.value), &dir.source),
        None => line("history", "none".to_owned(), &SettingSource::Default),
    }
    match &settings.report_dir {
        Some(dir) => line("report_dir", shown(&dir.value), &dir.source),
        None => line("report_dir", "in the target directory".to_owned(), &SettingSource::Default),
    }
    for report in &settings.reports {
        line("report", report.value.to_string(), &report.source);
    }
    let width = |of: fn(&(String, String, String)) -> &str| {
        lines.iter().map(|line| of(line).chars().count()).max().unwrap_or(0)
    };
    let (names, values) = (width(|line| &line.0), width(|line| &line.1).min(48));
    let rows = lines.iter().map(|(name, value, source)| {
        format!("{name:names$}  {value:values$}  {source}").trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}
