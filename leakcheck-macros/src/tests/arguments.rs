use super::{checked, expands, fails};
use proc_macro2::TokenStream;
use quote::quote;

#[track_caller]
fn gives(args: TokenStream, calls: TokenStream) {
    expands(
        args,
        quote!(
            fn f() {
                body();
            }
        ),
        checked(quote!(), calls),
    );
}

#[track_caller]
fn is_wrong(args: TokenStream, message: &str) {
    fails(
        args,
        quote!(
            fn f() {}
        ),
        &[message],
    );
}

#[test]
fn no_argument_is_needed() {
    gives(quote!(), quote!());
}

#[test]
fn every_argument_becomes_a_call() {
    gives(
        quote! {
            top = 5, c_heap_mb = 0.5, children = 1, fds = 2, lost_bytes = 3, threads = 0, settle_ms = 50, skip = "reason", measure = "retained", scope = "process",
            kind = "long_running", peak_mb = 1.5, threshold_blocks = 3, threshold_mb = 5
        },
        quote! {
            .threshold_mb(5f64).threshold_blocks(3u64).peak_mb(1.5f64)
            .kind(::leakcheck::Kind::LongRunning)
            .scope(::leakcheck::Scope::Process)
            .measure(::leakcheck::Metric::Retained)
            .skip("reason").settle_ms(50u64).threads(0u64).fds(2u64).children(1u64).c_heap_mb(0.5f64).lost_bytes(3u64).top(5u64)
        },
    );
}

#[test]
fn the_other_choices_are_known() {
    gives(
        quote!(kind = "unit", scope = "test", measure = "net"),
        quote! {
            .kind(::leakcheck::Kind::Unit).scope(::leakcheck::Scope::Test)
            .measure(::leakcheck::Metric::Net)
        },
    );
    gives(quote!(kind = "integration"), quote!(.kind(::leakcheck::Kind::Integration)));
}

#[test]
fn a_trailing_comma_is_fine() {
    gives(quote!(threshold_bytes = 1024,), quote!(.threshold_bytes(1024u64)));
}

#[test]
fn numbers_may_have_suffixes_underscores_and_a_base() {
    gives(quote!(threshold_bytes = 1_024u64), quote!(.threshold_bytes(1024u64)));
    gives(quote!(threshold_bytes = 0x10), quote!(.threshold_bytes(16u64)));
    gives(quote!(threshold_mb = 5u64), quote!(.threshold_mb(5f64)));
    gives(quote!(threshold_mb = 0.5f64), quote!(.threshold_mb(0.5f64)));
    gives(quote!(threshold_mb = 0), quote!(.threshold_mb(0f64)));
}

#[test]
fn a_skip_needs_no_reason() {
    gives(quote!(skip), quote!(.skip("no reason given")));
}

#[test]
fn an_empty_reason_is_none() {
    let message = "`skip` expects a reason such as `\"needs the network\"`, found `\" \"`";
    is_wrong(quote!(skip = " "), message);
}

#[test]
fn a_path_leads_to_the_library() {
    let expected = quote! {
        fn f() {
            (my::leakcheck::__private::check_repeatable)(
                (my::leakcheck::__private::options)(my::leakcheck::__private::origin!("f"))
                    .kind(my::leakcheck::Kind::Unit),
                move || -> () {},
                |_| false
            )
        }
    };
    expands(
        quote!(kind = "unit", crate = my::leakcheck),
        quote!(
            fn f() {}
        ),
        expected.clone(),
    );
    expands(
        quote!(kind = "unit", crate = "my::leakcheck"),
        quote!(
            fn f() {}
        ),
        expected,
    );
}

#[test]
fn a_path_is_not_a_number() {
    let message = "`crate` expects a path such as `my_reexports::leakcheck`, found `5`";
    is_wrong(quote!(crate = 5), message);
}

#[test]
fn megabytes_are_a_number() {
    for (value, found) in [
        (quote!("5"), "\"5\""),
        (quote!(true), "true"),
        (quote!(-1), "-1"),
        (quote!(-0.5), "-0.5"),
        (quote!(5MB), "5MB"),
        (quote!(1e999), "1e999"),
        (quote!(2 * 3), "2 * 3"),
    ] {
        let message = format!(
            "`threshold_mb` expects a number of megabytes such as `5` or `0.5`, found `{found}`"
        );
        is_wrong(quote!(threshold_mb = #value), &message);
    }
}

#[test]
fn counts_are_whole_numbers() {
    let message = "`threshold_bytes` expects a number of bytes such as `4096`, found `1.5`";
    is_wrong(quote!(threshold_bytes = 1.5), message);
    let message = "`settle_ms` expects a number of milliseconds such as `500`, found `\"5\"`";
    is_wrong(quote!(settle_ms = "5"), message);
    let message = "`threads` expects a number of threads such as `0`, found `-1`";
    is_wrong(quote!(threads = -1), message);
    let message = "`fds` expects a number of file descriptors such as `0`, found `some`";
    is_wrong(quote!(fds = some), message);
    let message = "`children` expects a number of child processes such as `0`, found `0.5`";
    is_wrong(quote!(children = 0.5), message);
}

#[test]
fn a_count_fits() {
    let message = "`threshold_blocks` expects a number of blocks up to 18446744073709551615, \
                   found `18446744073709551616`";
    is_wrong(quote!(threshold_blocks = 18446744073709551616), message);
}

#[test]
fn a_report_shows_one_call_site_at_least() {
    is_wrong(quote!(top = 0), "`top` expects at least 1 call site, found `0`");
}

#[test]
fn a_choice_is_one_of_its_strings() {
    let message =
        "`kind` expects `\"unit\"`, `\"integration\"` or `\"long_running\"`, found `\"slow\"`";
    is_wrong(quote!(kind = "slow"), message);
    is_wrong(quote!(scope = test), "`scope` expects `\"test\"` or `\"process\"`, found `test`");
}

#[test]
fn one_limit_has_one_unit() {
    let message =
        "`threshold_mb` and `threshold_bytes` are one limit in two units: give one of them";
    is_wrong(quote!(threshold_bytes = 1, threshold_mb = 5), message);
}

#[test]
fn an_argument_is_given_once() {
    is_wrong(quote!(top = 1, threads = 0, top = 1), "`top` is given twice");
    is_wrong(quote!(skip, skip = "why"), "`skip` is given twice");
}

#[test]
fn a_body_is_repeated_so_often() {
    is_wrong(
        quote!(iterations = "often"),
        "`iterations` expects `\"auto\"` or a number of calls such as `100`, found `\"often\"`",
    );
    is_wrong(quote!(iterations = 0), "`iterations` expects at least 1 call, found `0`");
    is_wrong(quote!(warmup = 0.5), "`warmup` expects a number of calls such as `2`, found `0.5`");
}

const KNOWN: &str = "known arguments: `threshold_mb`, `threshold_bytes`, `threshold_blocks`, `peak_mb`, \
                     `kind`, `scope`, `measure`, `skip`, `iterations`, `warmup`, `settle_ms`, `threads`, `fds`, \
                     `children`, `c_heap_mb`, `lost_bytes`, `top`, `crate`";

#[test]
fn an_unknown_name_is_an_error() {
    is_wrong(quote!(limit = 5), &format!("unknown argument `limit`\n{KNOWN}"));
    is_wrong(quote!(foo), &format!("unknown argument `foo`\n{KNOWN}"));
}

#[test]
fn a_misspelled_name_is_recognized() {
    let message = format!("unknown argument `treshold_mb`, did you mean `threshold_mb`?\n{KNOWN}");
    is_wrong(quote!(treshold_mb = 5), &message);
}

#[test]
fn an_argument_has_a_name() {
    let message = "expected `name = value`, such as `threshold_mb = 5`, found `5`";
    is_wrong(quote!(5), message);
}

#[test]
fn an_argument_has_a_value() {
    let message = "`peak_mb` needs a value, such as `peak_mb = 64`";
    is_wrong(quote!(peak_mb), message);
    is_wrong(quote!(peak_mb =), message);
    is_wrong(quote!(skip("why")), "expected `skip = \"why\"`, found `skip (\"why\")`");
}

#[test]
fn nothing_between_commas_is_an_error() {
    is_wrong(quote!(top = 1,, threads = 0), "expected `name = value` before this comma");
}

#[test]
fn all_mistakes_show_at_once() {
    fails(
        quote!(threshold_mb = "5", top = 0, warmup = -1, kind = 1),
        quote!(
            const fn f() {}
        ),
        &[
            "`threshold_mb` expects a number of megabytes such as `5` or `0.5`, found `\"5\"`",
            "`top` expects at least 1 call site, found `0`",
            "`warmup` expects a number of calls such as `2`, found `-1`",
            "`kind` expects `\"unit\"`, `\"integration\"` or `\"long_running\"`, found `1`",
            "a `const fn` cannot be checked",
        ],
    );
}
