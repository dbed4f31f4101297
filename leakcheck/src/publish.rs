//! Writes reports, and renders those of leaks.

use leakcheck_symbols::workspace;

use crate::message;
use crate::report::Report;
use crate::report::text::{self, Layout};
use crate::report_dir;
use crate::settings::{Mode, Settings};

/// A check that fails, for a leak or for a limit that cannot be judged, and whose report is written.
pub(crate) struct Leak {
    pub(crate) text: String,
    /// What is to happen because of it.
    pub(crate) mode: Mode,
}

/// Writes the report of a leak.
pub(crate) fn leak(settings: &Settings, report: &Report, top: u64) -> Leak {
    let written = report_dir::write(report, settings.report_dir.as_deref());
    if let Err(why) = &written {
        let problem = format!("the report of `{}` is not written: {why}", report.test.name);
        if settings.mode == Mode::Record {
            // Without its report, nothing else would show the leak.
            return Leak { text: problem, mode: Mode::On };
        }
        message::to_stderr(&problem);
    }
    let written = written.as_deref().map_err(String::as_str);
    let layout = Layout { top, workspace: workspace(), written };
    Leak { text: text::render(report, layout), mode: settings.mode }
}

/// Writes the report of a test that does not fail, where `LEAK_RECORD` asks for it.
pub(crate) fn record(settings: &Settings, report: impl FnOnce() -> Report) {
    if !settings.record {
        return;
    }
    let mut report = report();
    report.call_stacks = settings.stacks;
    if let Err(why) = report_dir::write(&report, settings.report_dir.as_deref()) {
        message::to_stderr(&format!("the record of `{}` is not written: {why}", report.test.name));
    }
}
