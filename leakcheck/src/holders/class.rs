//! What keeps a block, in one word.

pub(crate) use leakcheck_report::Reachability as Class;
