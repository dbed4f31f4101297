//! Sampled call stacks: which figures are estimates, and which are still exact.

use leakcheck_tests::{Amount, Finished, Fixture, Folder, Outcome, Report, mistake_in};

const LARGE: u64 = 64 << 10;

const EVERYWHERE: [&str; 4] = [
    "leaks_everywhere",
    "leaks_everywhere_in_the_process",
    "leaks_everywhere_inside",
    "another_thread_leaks",
];

fn with(stacks: &str, test: &str) -> Finished {
    Fixture::new("leaks", "sampled").run().only(test).env("LEAK_STACKS", stacks).go()
}

fn report(stacks: &str, test: &str) -> Report {
    with(stacks, test).report(test).clone()
}

fn listed(report: &Report) -> Amount {
    report.call_sites.iter().map(|site| site.amount).fold(report.omitted.amount, plus)
}

fn plus(one: Amount, other: Amount) -> Amount {
    Amount { bytes: one.bytes + other.bytes, blocks: one.blocks + other.blocks }
}

#[test]
fn totals_and_verdicts_are_the_same_as_with_full_call_stacks() {
    for test in EVERYWHERE.into_iter().chain(["leaks_in_many_short_regions", "leaks_nothing"]) {
        let [full, sampled, off] = ["full", "sampled", "off"].map(|stacks| report(stacks, test));
        assert_eq!(sampled.figures(), full.figures(), "{test}: {:?}", sampled.verdict);
        assert_eq!(off.figures(), full.figures(), "{test}");
        assert_eq!(sampled.judged, full.judged, "{test}");
        assert_eq!(sampled.verdict.is, full.verdict.is, "{test}");
        assert_eq!(full.verdict.is == "leaked", test != "leaks_nothing");
    }
}

#[test]
fn call_sites_add_up_to_what_is_retained() {
    for test in EVERYWHERE.into_iter().chain(["leaks_in_many_short_regions"]) {
        let report = report("sampled", test);
        assert_eq!(report.siteless, Amount::default(), "{test}");
        assert_eq!(listed(&report), report.figures().retained, "{test}");
    }
    assert_eq!(with("sampled", "measures").outcome("measures"), Outcome::Passed);
}

#[test]
fn figures_of_tests_that_pass_blocks_to_each_other_are_the_same() {
    let figures = |stacks| {
        let run =
            Fixture::new("leaks", "parallel").run().threads(4).env("LEAK_STACKS", stacks).go();
        let reports = run.reports().iter();
        let figures = |report: &Report| {
            let figures = report.figures();
            (figures.net_growth, figures.retained, figures.released, figures.churn)
        };
        reports.map(|(test, report)| (test.clone(), figures(report))).collect::<Vec<_>>()
    };
    let full = figures("full");
    assert!(full.len() >= 64);
    assert_eq!(figures("sampled"), full);
}

/// Of 4,000,000 bytes in blocks of 100 bytes, 243 blocks are sampled on average, and 24 of 400,000 bytes in blocks of
/// 1,000 bytes. The standard deviations of the split are therefore 78,000 bytes and 85 blocks; the test allows four of
/// them. The sample of a thread is the same in every run, so the test always passes or always fails.
#[test]
fn small_blocks_are_estimated() {
    for test in EVERYWHERE {
        let report = report("sampled", test);
        let [small, fewer] = ["small", "fewer"].map(|place| report.retained_through(place));
        assert_eq!(plus(small, fewer), Amount { bytes: 4_400_000, blocks: 40_400 }, "{test}");
        assert!((3_688_000..4_312_000).contains(&small.bytes), "{test}: {small:?}");
        assert!((39_660..40_340).contains(&small.blocks), "{test}: {small:?}");
        assert_ne!(small.bytes, 4_000_000, "{test}: nobody counted");
    }
}

#[test]
fn large_blocks_are_exact() {
    for test in EVERYWHERE {
        let report = report("sampled", test);
        let through = |place| report.retained_through(place);
        assert_eq!(through("large"), Amount { bytes: 2 * LARGE + 1 + 300_000, blocks: 3 });
        assert_eq!(through("grown"), Amount { bytes: 2 * LARGE, blocks: 1 });
        assert_eq!(through("shrunk"), Amount { bytes: LARGE, blocks: 1 });
    }
    let one = report("sampled", "leaks_one_large_block");
    assert_eq!(one.retained_through("keep"), Amount { bytes: LARGE, blocks: 1 });
}

/// Threads of a region of test scope, of process scope and of an inner region take different paths
/// through the ledger.
#[test]
fn every_path_through_the_ledger_samples_the_same_blocks() {
    let places = |test| {
        let report = report("sampled", test);
        ["small", "fewer"].map(|place| report.retained_through(place))
    };
    let expected = places("leaks_everywhere");
    assert_eq!(places("leaks_everywhere"), expected, "in another run");
    assert_eq!(places("leaks_everywhere_in_the_process"), expected);
    assert_eq!(places("another_thread_leaks"), expected);
}

#[test]
fn short_regions_are_not_all_sampled_alike() {
    let report = report("sampled", "leaks_in_many_short_regions");
    let through = report.retained_through("keep");
    assert_eq!(through, Amount { bytes: 500_000, blocks: 500 });
}

#[test]
fn blocks_that_are_never_sampled_count_and_are_reported() {
    let test = "leaks_one_small_block";
    let run = with("sampled", test);
    assert_eq!(run.outcome(test), Outcome::Failed);
    let report = run.report(test);
    assert_eq!((report.call_sites.len(), report.siteless), (0, Amount { bytes: 16, blocks: 1 }));
    let said = run.output(test);
    assert!(said.contains("\n  16 B in 1 block, none sampled\n"), "{said}");
}

#[test]
fn the_report_says_that_its_call_sites_are_sampled() {
    for (stacks, words) in [
        ("full", None),
        ("sampled", Some("call sites are estimates from a sample (`LEAK_STACKS` is `sampled`)")),
        ("off", Some("no call sites, so known noise counts too: `LEAK_STACKS` is `off`")),
    ] {
        let run = with(stacks, "leaks_everywhere");
        let said = run.output("leaks_everywhere");
        assert_eq!(run.report("leaks_everywhere").call_stacks, stacks);
        assert_eq!(said.contains("LEAK_STACKS"), words.is_some(), "{said}");
        assert!(words.is_none_or(|words| said.contains(words)), "{said}");
    }
}

#[test]
fn reports_are_as_the_schema_says() {
    for stacks in ["sampled", "off"] {
        let folder = Folder::new();
        let directory = folder.path().to_str().expect("the path is text");
        let run = Fixture::new("leaks", "sampled").run().env("LEAK_STACKS", stacks);
        run.env("LEAK_REPORT_DIR", directory).go();
        let reports = folder.reports();
        assert!(reports.len() >= 7);
        for (path, report) in &reports {
            assert_eq!(mistake_in(report), None, "{path}: {report:#}");
            assert_eq!(report["call_stacks"], stacks, "{path}");
        }
    }
}

#[test]
fn the_start_of_a_thread_is_always_recorded() {
    let report = report("sampled", "starts_a_thread_that_stays");
    let [thread] = &*report.threads else { panic!("{report:#?}") };
    let test = "starts_a_thread_that_stays";
    assert!(thread.started_at.iter().any(|frame| frame.is_in(test)), "{thread:#?}");
}

/// libtest keeps 32 KiB of this test's output, and 128 KiB of the other one's.
#[test]
fn known_noise_in_large_blocks_is_excluded() {
    let noise = |stacks: &str, test: &str| {
        let run = Fixture::new("leaks", "exclusions").run().only(test).env("LEAK_STACKS", stacks);
        run.go().report(test).clone()
    };
    for (stacks, small, large) in
        [("full", "passed", "passed"), ("sampled", "leaked", "passed"), ("off", "leaked", "leaked")]
    {
        assert_eq!(noise(stacks, "prints_a_thousand_values").verdict.is, small, "{stacks}");
        assert_eq!(noise(stacks, "prints_a_thousand_lines").verdict.is, large, "{stacks}");
    }
    let [sampled, off] = ["sampled", "off"].map(|stacks| noise(stacks, "prints_a_thousand_values"));
    assert_eq!(sampled.judged, off.judged);
    assert!(sampled.suppressed.is_empty(), "{sampled:#?}");
    let [suppressed] = &*noise("sampled", "prints_a_thousand_lines").suppressed else {
        panic!("the buffer of captured output is large")
    };
    assert!(suppressed.amount.bytes >= LARGE && suppressed.amount.blocks == 1, "{suppressed:?}");
}
