//! The command line.

use crate::corpus::cases::Case;
use crate::corpus::named;

/// The default number of runs of each program.
const RUNS: u32 = 20;

pub(super) struct Arguments {
    pub(super) cases: Vec<&'static Case>,
    pub(super) runs: u32,
    pub(super) write: bool,
}

impl Arguments {
    pub(super) fn read(args: &[String]) -> Result<Self, String> {
        let (mut names, mut runs, mut write) = (Vec::new(), RUNS, false);
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            match arg {
                "--write" => write = true,
                "--runs" => runs = number(args.next())?,
                flag if flag.starts_with('-') => {
                    return Err(format!("`accuracy` has no `{flag}`; it has `--runs`, `--write`"));
                }
                name => names.push(name),
            }
        }
        if write && !names.is_empty() {
            return Err("`--write` is for all cases: leave out either it or the names".to_owned());
        }
        Ok(Self { cases: named(&names)?, runs, write })
    }
}

fn number(arg: Option<&str>) -> Result<u32, String> {
    let number = arg.and_then(|arg| arg.parse().ok()).filter(|runs| *runs > 0);
    number.ok_or_else(|| "`--runs` wants a number of runs, as in `--runs 5`".to_owned())
}
