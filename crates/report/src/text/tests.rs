use std::path::Path;

use super::call_sites::group;
use super::frames::lines;
use super::headline::{headline, ways_out};
use super::{Layout, Written};
use crate::amount::{Allowed, Amount, Growth};
use crate::call_site::CallSite;
use crate::figure::Figure;
use crate::frame::{Class, Frame};
use crate::kind::Kind;
use crate::limit::{Limit, LimitSource};
use crate::report::{Figures, Omitted, Report, Suppressed, Symbols, Test};
use crate::resource::Thread;
use crate::scope::Stacks;
use crate::verdict::{Excess, NotJudged, UnjudgedLimit, Verdict};

fn render(report: &Report, top: u64, written: Written<'_>) -> String {
    super::render(report, Layout { top, workspace: Some(Path::new("/home/me/app")), written })
}

fn frame(class: Class, function: &str, place: (&str, u32)) -> Frame {
    Frame::of_function(function, class).at(place.0, place.1)
}

fn user(function: &str, file: &str, line: u32) -> Frame {
    frame(Class::User, function, (file, line))
}

fn site(bytes: u64, blocks: u64, frames: Vec<Frame>) -> CallSite {
    CallSite::new(Amount { bytes, blocks }, frames)
}

fn leaked(bytes: u64, limit: u64) -> Verdict {
    let limit = Limit::new(limit, LimitSource::Default { kind: Kind::Unit });
    Verdict::Leaked { excesses: vec![Excess { figure: Figure::Bytes, value: bytes as i64, limit }] }
}

fn report() -> Report {
    let test = Test { name: "cache::tests::evicts".into(), ..Test::default() };
    let body = || user("app::cache::tests::evicts::{closure}", "src/cache.rs", 311);
    Report {
        figures: Some(Figures {
            net_growth: Growth { bytes: 8_829_042, blocks: 3072 },
            retained: Amount { bytes: 8_829_042, blocks: 3072 },
            peak_bytes: 12_687_769,
            churn: Amount { bytes: 99_999_999, blocks: 41_220 },
            ..Figures::default()
        }),
        call_sites: vec![
            site(
                5_347_737,
                2048,
                vec![
                    frame(
                        Class::Std,
                        "alloc::vec::Vec<T>::reserve",
                        ("library/alloc/src/vec/mod.rs", 1),
                    ),
                    user("app::cache::Cache::insert", "src/cache.rs", 123),
                    user("app::cache::Cache::load", "src/cache.rs", 88),
                    body(),
                ],
            ),
            site(
                3_365_962,
                1020,
                vec![
                    frame(
                        Class::Dependency,
                        "lru::LruCache<K,V>::put",
                        ("lru-0.6.2/src/lib.rs", 42),
                    ),
                    body(),
                ],
            ),
            site(
                115_343,
                4,
                vec![frame(Class::Std, "std::thread::spawn", ("library/std/src/thread/mod.rs", 7))],
            ),
        ],
        ..Report::new(test, leaked(8_829_042, 1 << 20))
    }
}

#[test]
fn the_first_line_is_the_whole_story() {
    let text = render(
        &report(),
        2,
        Ok(Path::new("/home/me/app/target/leakcheck/app/cache__tests__evicts.json")),
    );
    let expected = "\
leakcheck: `cache::tests::evicts` leaked 8.42 MiB (8,829,042 bytes), limit 1.00 MiB (default for unit tests)

  retained 8.42 MiB in 3,072 blocks · released 0 B · peak 12.1 MiB · allocated 41,220 blocks in total

  1.  5.10 MiB  60.6 %  2,048 blocks  app::cache::Cache::insert         src/cache.rs:123
                                      app::cache::Cache::load           src/cache.rs:88
                                      app::cache::tests::evicts         src/cache.rs:311
  2.  3.21 MiB  38.1 %  1,020 blocks  app::cache::tests::evicts         src/cache.rs:311
                                      through lru::LruCache<K,V>::put   lru-0.6.2/src/lib.rs:42
       113 KiB in 1 more call site

  full report: target/leakcheck/app/cache__tests__evicts.json
  intended? leakcheck::allow(\"why\", || …), #[leak_check(threshold_mb = …)] or (skip = \"why\")";
    assert_eq!(text, expected, "\n{text}\n");
}

#[test]
fn call_sites_that_look_the_same_are_one() {
    let same = |std: &str| {
        let std = frame(Class::Std, std, ("library/alloc/src/raw_vec.rs", 1));
        vec![std, user("app::load", "src/lib.rs", 9)]
    };
    let groups =
        group(&[site(100, 1, same("grow")), site(300, 2, same("reserve")), site(250, 1, vec![])]);
    let amounts: Vec<Amount> = groups.iter().map(|group| group.amount).collect();
    assert_eq!(amounts, [Amount { bytes: 400, blocks: 3 }, Amount { bytes: 250, blocks: 1 }]);
}

#[test]
fn deep_stacks_keep_their_two_ends() {
    let frames: Vec<Frame> =
        (1..=20).map(|line| user(&format!("app::f{line}"), "src/lib.rs", line)).collect();
    let shown: Vec<String> = lines(&frames, 0).into_iter().map(|(function, _)| function).collect();
    assert_eq!(
        shown,
        ["app::f1", "app::f2", "app::f3", "app::f4", "app::f5", "… 14 more frames", "app::f20"]
    );
}

#[test]
fn frames_that_were_never_kept_are_counted_too() {
    let recursion = vec![user("app::descend", "src/lib.rs", 9); 3];
    let shown = |frames: &[Frame]| {
        let lines = lines(frames, 9872).into_iter().map(|(function, _)| function);
        lines.collect::<Vec<String>>()
    };
    let with_test = [&recursion[..], &[user("app::test", "src/lib.rs", 90)]].concat();
    assert_eq!(shown(&with_test), ["app::descend", "… 9,872 more frames", "app::test"]);
    assert_eq!(shown(&recursion), ["… 9,872 more frames", "app::descend"]);
}

#[test]
fn without_a_user_the_nearest_code_is_shown() {
    let frames = vec![
        frame(Class::Std, "alloc::alloc::alloc", ("library/alloc/src/alloc.rs", 1)),
        frame(
            Class::Dependency,
            "tokio::runtime::Builder::build",
            ("tokio-1.0.0/src/builder.rs", 5),
        ),
    ];
    assert_eq!(
        lines(&frames, 0)[0],
        ("tokio::runtime::Builder::build".into(), "tokio-1.0.0/src/builder.rs:5".into())
    );
    assert_eq!(lines(&frames[..1], 0)[0].0, "alloc::alloc::alloc");
    assert_eq!(lines(&[], 0), [("call site not known".to_owned(), String::new())]);
}

#[test]
fn a_place_without_room_has_a_line_of_its_own() {
    let long = "app::".to_owned() + &"very_long_name".repeat(8);
    let mut report = report();
    report.call_sites =
        vec![site(10, 1, vec![user(&long, "src/lib.rs", 1), user("app::short", "src/lib.rs", 2)])];
    let text = render(&report, 5, Err("no room"));
    assert!(text.contains(&format!("  {long}\n")), "{text}");
    assert!(text.lines().any(|line| line.trim() == "src/lib.rs:1"), "{text}");
    assert!(text.contains("app::short   src/lib.rs:2"), "{text}");
}

#[test]
fn every_excess_is_in_the_first_line() {
    let excess = |figure, value, limit: u64, source: &str| {
        Excess::new(figure, value, Limit::by_argument(source, limit))
    };
    let mut report = report();
    report.verdict = Verdict::Leaked {
        excesses: vec![
            excess(Figure::Bytes, 240, 0, "threshold_bytes"),
            excess(Figure::Blocks, 1, 0, "threshold_blocks"),
            excess(Figure::PeakBytes, 3 << 20, 2 << 20, "peak_mb"),
            excess(Figure::Threads, 2, 0, "threads"),
        ],
    };
    assert_eq!(
        headline(&report),
        "`cache::tests::evicts` leaked 240 B, limit 0 B (threshold_bytes); \
         leaked 1 block, limit 0 (threshold_blocks); \
         peaked at 3.00 MiB (3,145,728 bytes), limit 2.00 MiB (peak_mb); \
         left 2 threads running, limit 0 (threads)"
    );
}

#[test]
fn what_was_left_out_is_listed() {
    let mut report = report();
    report.allowed =
        vec![Allowed { why: "plugins stay".into(), amount: Amount { bytes: 2048, blocks: 2 } }];
    report.suppressed = vec![Suppressed {
        rule: "^std::io::stdio::_print".into(),
        why: Some("output captured by libtest".into()),
        amount: Amount { bytes: 122_880, blocks: 1 },
        released: Amount::default(),
    }];
    report.threads = vec![Thread {
        name: "sweeper".into(),
        started_at: vec![user("app::start", "src/cache.rs", 12)],
    }];
    report.omitted = Omitted { call_sites: 3, amount: Amount { bytes: 10, blocks: 3 } };
    let text = render(&report, 10, Err("no room"));
    for expected in [
        "  allowed: 2.00 KiB in 2 blocks: plugins stay\n",
        "  suppressed: 120 KiB in 1 block: output captured by libtest\n",
        "  still running: 1 thread (`sweeper`, started at src/cache.rs:12)\n",
        "  full report: not written, no room\n",
        "10 B in 3 more call sites\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

#[test]
fn missing_names_are_explained() {
    let mut report = report();
    report.symbols = Symbols::Functions;
    assert!(
        render(&report, 1, Err(""))
            .contains("no line numbers: the program has no debug information")
    );
    report.symbols = Symbols::Addresses;
    assert!(render(&report, 1, Err("")).contains("the program is stripped"));
}

#[test]
fn what_call_sites_rest_on_is_told() {
    let sampled = "  call sites are estimates from a sample (`LEAK_STACKS` is `sampled`); totals are exact\n  \
                   known noise in blocks below 64.0 KiB counts too\n";
    let off = "  no call sites, so known noise counts too: `LEAK_STACKS` is `off`\n";
    let mut report = report();
    for (mode, line) in [(Stacks::Full, ""), (Stacks::Sampled, sampled), (Stacks::Off, off)] {
        report.call_stacks = mode;
        let text = render(&report, 1, Err(""));
        assert!(text.contains(line), "{text}");
        assert_eq!(text.contains("LEAK_STACKS"), mode != Stacks::Full, "{text}");
    }
}

#[test]
fn what_has_no_call_site_has_its_share() {
    let mut report = report();
    report.call_sites.truncate(1);
    report.siteless = Amount { bytes: 5_347_737, blocks: 12 };
    let rows =
        |report: &Report| render(report, 10, Err("")).split("\n\n").nth(2).unwrap().to_owned();
    report.call_stacks = Stacks::Sampled;
    let sampled = rows(&report);
    assert!(sampled.starts_with("  1.  5.10 MiB  50.0 %  2,048 blocks  "), "{sampled}");
    assert!(sampled.ends_with("\n      5.10 MiB in 12 blocks, none sampled"), "{sampled}");
    report.call_stacks = Stacks::Full;
    let full = rows(&report);
    assert!(full.ends_with("\n      5.10 MiB in 12 blocks with unknown call sites"), "{full}");
    report.call_sites.clear();
    assert_eq!(rows(&report), "  5.10 MiB in 12 blocks with unknown call sites");
    report.call_stacks = Stacks::Off;
    assert!(!render(&report, 10, Err("")).contains("12 blocks"));
}

#[test]
fn a_limit_that_cannot_be_judged_is_named_with_the_reason_and_the_way_out() {
    let limit = UnjudgedLimit::new(
        Figure::Fds,
        Limit::by_argument("fds", 0),
        "other tests ran at the same time; run it under nextest",
    );
    let reason = NotJudged::Limits { limits: vec![limit] };
    let text = render(&Report { verdict: Verdict::NotJudged { reason }, ..report() }, 10, Err(""));
    let headline = "leakcheck: `cache::tests::evicts` cannot be judged by limit 0 (fds): \
                    other tests ran at the same time; run it under nextest\n";
    assert!(text.starts_with(headline), "{text}");
    let last = "  no way to judge it? remove `fds`, or #[leak_check(skip = \"why\")]";
    assert!(text.ends_with(last), "{text}");
}

#[test]
fn the_way_out_fits_the_limit_that_was_broken() {
    let of = |figure, source: LimitSource| {
        let limit = Limit::new(0, source);
        ways_out(&Verdict::Leaked { excesses: vec![Excess { figure, value: 1, limit }] })
    };
    assert_eq!(
        of(Figure::Bytes, LimitSource::argument("threshold_bytes")),
        "leakcheck::allow(\"why\", || …), #[leak_check(threshold_bytes = …)] or (skip = \"why\")"
    );
    assert_eq!(
        of(Figure::Bytes, LimitSource::variable("LEAK_THRESHOLD_MB")),
        "leakcheck::allow(\"why\", || …), LEAK_THRESHOLD_MB=…, #[leak_check(skip = \"why\")]"
    );
    assert_eq!(
        of(Figure::Threads, LimitSource::argument("threads")),
        "#[leak_check(threads = …)] or (skip = \"why\")"
    );
}

#[test]
fn without_names_every_address_tells_call_sites_apart() {
    let at =
        |offset| Frame { module: Some("app".into()), offset: Some(offset), ..Frame::default() };
    let stack = |user: u64| vec![at(1), at(2), at(3), at(user), at(9)];
    let groups = group(&[site(300, 1, stack(7)), site(200, 1, stack(8)), site(100, 1, stack(7))]);
    assert_eq!(groups.iter().map(|group| group.amount.bytes).collect::<Vec<_>>(), [400, 200]);
    assert_eq!(groups[0].lines[3].0, "app + 0x7");
}
