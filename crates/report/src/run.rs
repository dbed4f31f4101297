//! What is known of a run: the programs that were started and how they ended.
