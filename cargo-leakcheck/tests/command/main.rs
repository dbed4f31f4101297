//! Runs the command in projects as a user does, and opens its reports with the tools they are for.

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
