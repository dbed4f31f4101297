//! The rivals that a benchmark compares, built.

use crate::Result;
use crate::profile::Profile;
use crate::program::Program;
use crate::rival::{self, Rival};

/// The programs of the rivals that can be built and run on this machine.
#[derive(Debug)]
pub(crate) struct Lineup {
    /// The system allocator comes first.
    pub(crate) programs: Vec<Program>,
    /// One sentence for each rival that is missing, with the reason.
    pub(crate) missing: Vec<String>,
}

impl Lineup {
    /// All rivals.
    pub(crate) fn all(profile: Profile) -> Result<Self> {
        let mut rivals = rival::ALL.to_vec();
        if profile == Profile::DevOpt {
            rivals.extend(rival::OPTIMIZED);
        }
        Self::build(&rivals, profile)
    }

    /// leakcheck, and the rivals that only count.
    pub(crate) fn counting(profile: Profile) -> Result<Self> {
        Self::build(&rival::COUNTING, profile)
    }

    /// leakcheck, and the rivals that capture call stacks too.
    pub(crate) fn capturing(profile: Profile) -> Result<Self> {
        Self::build(&rival::CAPTURING, profile)
    }

    fn build(rivals: &[Rival], profile: Profile) -> Result<Self> {
        let mut lineup = Self { programs: Vec::new(), missing: Vec::new() };
        for rival in rivals {
            match Program::build(rival, profile)? {
                Ok(program) => lineup.programs.push(program),
                Err(why) => lineup.missing.push(format!("{} is missing: {why}.", rival.name)),
            }
        }
        Ok(lineup)
    }
}
