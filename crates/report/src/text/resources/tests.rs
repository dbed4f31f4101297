use crate::amount::{Amount, Growth};
use crate::frame::{Class, Frame};
use crate::limit::{Limit, Limits};
use crate::repetition::{GrowingResource, GrowthClass, Repetition, Stopped};
use crate::report::{Figures, Report, Test};
use crate::resource::{Child, ChildState, Fd, Resource, Thread};
use crate::text::{Layout, render};
use crate::verdict::{Excess, Verdict};
use crate::{CallSite, Figure};

fn text(report: &Report) -> String {
    render(report, Layout { top: 10, workspace: None, written: Err("no room") })
}

fn user(function: &str, line: u32) -> Frame {
    Frame::of_function(function, Class::User).at("src/lib.rs", line)
}

fn dependency(function: &str) -> Frame {
    Frame::of_function(function, Class::Dependency).at("systemd/src/daemon.rs", 7)
}

/// A report of a test that retains a little memory.
fn report(figure: Figure, value: i64) -> Report {
    let test = Test { name: "notifies".into(), ..Test::default() };
    let limit = Limit::by_argument("fds", 0);
    let mut report =
        Report::new(test, Verdict::Leaked { excesses: vec![Excess { figure, value, limit }] });
    let retained = Amount { bytes: 643, blocks: 3 };
    let fds = Some(value);
    report.figures = Some(Figures { retained, fds, ..Figures::default() });
    report.judged = Some(Growth::from(retained));
    report.call_sites = vec![CallSite::new(retained, vec![user("app::caches", 3)])];
    report
}

#[test]
fn descriptors_that_grow_are_grouped_and_come_before_memory() {
    let mut report = report(Figure::FdsPerCall, 1);
    let opened = || {
        vec![
            dependency("nix::sys::socket::socket"),
            dependency("systemd::daemon::notify_with_fds"),
            dependency("systemd::daemon::notify"),
            user("app::notify", 12),
        ]
    };
    report.figures = report.figures.map(|figures| Figures { fds: Some(129), ..figures });
    report.fds = (4..133)
        .map(|number| Fd::new(number, format!("Unix socket to /run/{number}"), opened()))
        .collect();
    report.fds.push(Fd::new(3, "/etc/hosts", vec![user("app::resolve", 30)]));
    report.limits = Some(Limits::default());
    let mut repetition = Repetition::new(2, vec![16, 32, 64], Stopped::CapOfGrowth);
    let growth = GrowingResource::new(Resource::Fds, GrowthClass::Leak, vec![16, 32, 64], 1.0);
    repetition.resources = vec![growth];
    report.repetition = Some(repetition);
    let expected = "\
leakcheck: `notifies` leaves 1 file descriptor open per call (112 calls)

  repeated: 2 warm-up calls, then 112 calls in 3 batches; stopped because it had leaked enough

  still open: 130 file descriptors
    4–132  129 Unix sockets, opened at src/lib.rs:12 in app::notify
           through systemd::daemon::notify_with_fds, through systemd::daemon::notify
           such as to /run/4
        3  /etc/hosts, opened at src/lib.rs:30 in app::resolve
  file descriptors left open: 16 → 32 → 64 over batches of 16, 32, 64; high severity
    close it: drop its owner; after `into_raw_fd`, `forget`, or in C code nothing else closes it
  memory does not grow: 643 B retained in 3 blocks
  full report: not written, no room
  intended? #[leak_check(fds = …)] or (skip = \"why\")";
    assert_eq!(text(&report), expected);
}

#[test]
fn the_resource_that_fails_the_check_comes_first() {
    let mut report = report(Figure::Children, 12);
    report.threads = vec![Thread::new("sweeper", vec![user("app::sweep", 9)])];
    report.children = (1..=12)
        .map(|pid| {
            let at = vec![user("app::start", if pid == 7 { 40 } else { 50 })];
            Child::new(pid, "true", ChildState::Exited, at)
        })
        .collect();
    let limits = Limits { bytes: Some(Limit::default_of(crate::Kind::Unit)), ..Limits::default() };
    report.limits = Some(limits);
    let expected = "\
leakcheck: `notifies` left 12 child processes unwaited for, limit 0 (fds)

  not waited for: 12 child processes
    1–6, 8–12  11 × `true`, exited, started at src/lib.rs:50 in app::start
            7  `true`, exited, started at src/lib.rs:40 in app::start
    wait for the child, even if it was killed or has exited
  still running: 1 thread (`sweeper`, started at src/lib.rs:9)
  memory is within its limit of 1.00 MiB: 643 B retained in 3 blocks
  full report: not written, no room
  intended? #[leak_check(fds = …)] or (skip = \"why\")";
    assert_eq!(text(&report), expected);
}

#[test]
fn where_memory_leaks_too_it_comes_first() {
    let mut report = report(Figure::Bytes, 643);
    report.fds = vec![Fd::new(3, "/etc/hosts", vec![user("app::resolve", 30)])];
    let text = text(&report);
    let (memory, fds) = (text.find("app::caches"), text.find("still open"));
    assert!(memory.is_some() && memory < fds, "{text}");
    assert!(!text.contains("close it"), "{text}");
}

#[test]
fn a_long_list_of_places_is_cut() {
    let mut report = report(Figure::Fds, 12);
    let fd = |number| Fd::new(number, "/etc/hosts", vec![user("app::resolve", number as u32)]);
    report.fds = (3..15).map(fd).collect();
    let text = text(&report);
    assert_eq!(text.matches("opened at src/lib.rs").count(), 10, "{text}");
    assert!(text.contains("    and 2 more\n"), "{text}");
}
