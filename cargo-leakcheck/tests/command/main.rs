//! The command in projects, as a user calls it; and what it writes, as readers open it.

mod support;

mod baseline;
mod ci;
mod diff;
mod faults;
mod history;
mod launcher;
mod linked;
mod merge;
mod page;
mod page_of_a_test;
mod parts;
mod programs;
mod readers;
mod run;
mod runners;
mod settings;
mod terminal;
mod timeline;
mod usage;
