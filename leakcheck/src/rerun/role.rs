//! The role of a process that runs a test again for another one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use leakcheck_ledger::live;
use leakcheck_ledger::thread::Untracked;

use super::handoff;
use crate::report::CallSite;

/// The environment variable that names the check of a rerun.
const CHECK_NAME: &str = "LEAKCHECK_HOLDERS_OF_CHECK";
/// The environment variable with the id of the process that started the rerun.
const PARENT: &str = "LEAKCHECK_HOLDERS_FOR";

/// What a rerun has to find out.
#[derive(Debug)]
pub(crate) struct Role {
    /// The file for the holders.
    handoff: PathBuf,
    check: String,
}

static ROLE: OnceLock<Option<Role>> = OnceLock::new();

/// Fixes the role before `main`, because a body may change its environment.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = {
    extern "C" fn fix_role() {
        let _untracked = Untracked::new();
        if role().is_some() {
            end_with_parent();
        }
    }
    fix_role
};

/// The role of this process, if it is a rerun.
pub(crate) fn role() -> Option<&'static Role> {
    ROLE.get_or_init(Role::of_environment).as_ref()
}

/// Gives a role to a process that will be started.
pub(super) fn assign(command: &mut Command, handoff: &Path, check: &str) {
    command
        .env(live::RERUN.to_str().unwrap_or_default(), handoff)
        .env(CHECK_NAME, check)
        .env(PARENT, std::process::id().to_string());
}

impl Role {
    fn of_environment() -> Option<Self> {
        let handoff = env::var_os(live::RERUN.to_str().unwrap_or_default())?.into();
        Some(Self { handoff, check: env::var(CHECK_NAME).unwrap_or_default() })
    }

    /// Whether this rerun was started for the check.
    pub(crate) fn is_about(&self, check: &str) -> bool {
        self.check == check
    }

    /// Writes the holders of a report for the process that started this rerun.
    pub(crate) fn send(&self, call_sites: &[CallSite]) {
        let of_site = |site: &CallSite| {
            let key = handoff::key(&site.frames);
            site.holders.clone().into_iter().map(move |holder| (key.clone(), holder))
        };
        let found: Vec<_> = call_sites.iter().flat_map(of_site).collect();
        if handoff::write(&self.handoff, &found).is_err() {
            // The process that started this rerun reports a missing file.
            _ = fs::remove_file(&self.handoff);
        }
    }
}

/// Has the kernel kill this process when the one that started it ends.
fn end_with_parent() {
    // SAFETY: the setting takes a signal and affects only this process.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let parent = env::var(PARENT).ok().and_then(|id| id.parse().ok());
    // The parent may have ended before the kernel was asked.
    if parent.is_some_and(|parent: u32| std::os::unix::process::parent_id() != parent) {
        std::process::exit(1);
    }
}
