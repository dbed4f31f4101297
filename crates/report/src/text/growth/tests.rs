use super::*;
use crate::amount::Amount;
use crate::call_site::CallSite;
use crate::figure::Figure;
use crate::frame::{Class, Frame};
use crate::limit::Limit;
use crate::repetition::{GrowingResource, Sensitivity, Severity};
use crate::report::Test;
use crate::resource::Resource;
use crate::text::{Layout, render};
use crate::verdict::{Excess, Verdict};

fn growing(class: GrowthClass, bytes: &[i64], bytes_per_call: f64) -> Growing {
    Growing {
        class,
        bytes: bytes.to_vec(),
        blocks: vec![0; bytes.len()],
        bytes_per_call,
        blocks_per_call: 2.0,
        severity: (class == GrowthClass::Leak).then_some(Severity::Medium),
        advice: (class == GrowthClass::Leak).then(|| "a map that only grows".to_owned()),
    }
}

fn site(function: &str, bytes: u64, growth: Option<Growing>) -> CallSite {
    let frame = Frame::of_function(function, Class::User);
    CallSite { growth, ..CallSite::new(Amount { bytes, blocks: 1 }, vec![frame]) }
}

fn repetition(stopped: Stopped, sensitivity: Sensitivity) -> Repetition {
    let threads = (Resource::Threads, GrowthClass::Leak, vec![1, 2, 4, 8], 1.0);
    Repetition {
        sensitivity,
        bytes_per_call: 240.0,
        resources: vec![GrowingResource::new(threads.0, threads.1, threads.2, threads.3)],
        ..Repetition::new(2, vec![1, 2, 4, 8], stopped)
    }
}

fn text(repetition: Repetition, call_sites: Vec<CallSite>) -> String {
    let limit = Limit::by_argument("iterations", 0);
    let excess = |figure, value| Excess { figure, value, limit: limit.clone() };
    let excesses = vec![excess(Figure::BytesPerCall, 240), excess(Figure::ThreadsPerCall, 1)];
    let test = Test { name: "serves".into(), ..Test::default() };
    let report = Report {
        repetition: Some(repetition),
        call_sites,
        ..Report::new(test, Verdict::Leaked { excesses })
    };
    render(&report, Layout { top: 10, workspace: None, written: Err("no room") })
}

#[test]
fn each_class_is_named_with_its_evidence() {
    let sites = vec![
        site("leaks", 3600, Some(growing(GrowthClass::Leak, &[240, 480, 960, 1920], 240.0))),
        site("warms", 9000, Some(growing(GrowthClass::WarmUp, &[0, 4096, 0, 0], 0.0))),
        site("fills", 800, Some(growing(GrowthClass::FillingCache, &[400, 200, 100, 50], 50.0))),
        site("wobbles", 700, Some(growing(GrowthClass::Plateau, &[10, -20, 30, -5], 1.0))),
        site("stays", 600, None),
    ];
    let found = text(repetition(Stopped::Certain, Sensitivity::new(1.0, 7, 0.0)), sites);
    let expected = "\
leakcheck: `serves` leaks 240 B per call (15 calls); leaves 1 thread running per call (15 calls)

  repeated: 2 warm-up calls, then 15 calls in 4 batches; nothing grew any more

  1.  3.52 KiB  24.5 %  1 block  leaks
      growing        240 bytes (2 blocks) per call:
                     240 → 480 → 960 → 1,920 over batches of 1, 2, 4, 8
                     medium severity; a map that only grows
  2.  8.79 KiB  61.2 %  1 block  warms
      warm-up        grew once, by 4.00 KiB
  3.     800 B   5.4 %  1 block  fills
      filling cache  grows by less and less: 400 → 200 → 100 → 50 over batches of 1, 2, 4, 8
  4.     700 B   4.8 %  1 block  wobbles
      plateau        goes up and down: 10 → −20 → 30 → −5 over batches of 1, 2, 4, 8
  5.     600 B   4.1 %  1 block  stays

  threads left running: 1 → 2 → 4 → 8 over batches of 1, 2, 4, 8; high severity
  would have seen: a leak of 1 B per call at any call site, even if only once every 7 calls
  full report: not written, no room
  intended? leakcheck::allow(\"why\", || …) or #[leak_check(skip = \"why\")]";
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_decided_is_told_with_what_would_decide() {
    let undecided = || Sensitivity::new(1500.0, 1, 1234.0);
    let raise = |stopped| text(repetition(stopped, undecided()), Vec::new());
    let at_cap = raise(Stopped::CapOfCalls);
    assert!(at_cap.contains("15 calls in 4 batches; stopped by `LEAK_ITERATIONS_MAX`"), "{at_cap}");
    assert!(
        at_cap.contains("would have seen: a leak of 1.46 KiB per call at any call site\n"),
        "{at_cap}"
    );
    let told = "stopped while other call sites still grew by 1.21 KiB per call: raise ";
    assert!(at_cap.contains(&format!("{told}`LEAK_ITERATIONS_MAX`\n")), "{at_cap}");
    let late = raise(Stopped::CapOfTime);
    assert!(late.contains(&format!("{told}`LEAK_ITERATIONS_SECONDS`\n")), "{late}");
    let asked = raise(Stopped::AsAsked);
    assert!(asked.contains(&format!("{told}`iterations`\n")), "{asked}");
}

#[test]
fn less_than_a_byte_a_call_is_one_in_so_many() {
    assert_eq!(per_call(1.0 / 7.0), "1 B in 7 calls");
    assert_eq!(per_call(1536.0), "1.50 KiB per call");
}
