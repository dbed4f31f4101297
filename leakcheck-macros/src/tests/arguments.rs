use super::{expands, fails, wrapped};
use proc_macro2::TokenStream;
use quote::quote;

#[track_caller]
fn sets(args: TokenStream, setters: TokenStream) {
    expands(
        args,
        quote!(
            fn f() {
                body();
            }
        ),
        wrapped(quote!(), setters),
    );
}

#[track_caller]
fn is_rejected(args: TokenStream, message: &str) {
    fails(
        args,
        quote!(
            fn f() {}
        ),
        &[message],
    );
}

#[test]
fn arguments_are_optional() {
    sets(quote!(), quote!());
}

#[test]
fn every_argument_sets_an_option() {
    sets(
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
fn the_other_enum_values_are_accepted() {
    sets(
        quote!(kind = "unit", scope = "test", measure = "net"),
        quote! {
            .kind(::leakcheck::Kind::Unit).scope(::leakcheck::Scope::Test)
            .measure(::leakcheck::Metric::Net)
        },
    );
    sets(quote!(kind = "integration"), quote!(.kind(::leakcheck::Kind::Integration)));
}

#[test]
fn a_trailing_comma_is_accepted() {
    sets(quote!(threshold_bytes = 1024,), quote!(.threshold_bytes(1024u64)));
}

#[test]
fn numbers_may_have_suffixes_underscores_and_a_base() {
    sets(quote!(threshold_bytes = 1_024u64), quote!(.threshold_bytes(1024u64)));
    sets(quote!(threshold_bytes = 0x10), quote!(.threshold_bytes(16u64)));
    sets(quote!(threshold_mb = 5u64), quote!(.threshold_mb(5f64)));
    sets(quote!(threshold_mb = 0.5f64), quote!(.threshold_mb(0.5f64)));
    sets(quote!(threshold_mb = 0), quote!(.threshold_mb(0f64)));
}

#[test]
fn a_skip_needs_no_reason() {
    sets(quote!(skip), quote!(.skip("no reason given")));
}

#[test]
fn an_empty_reason_is_rejected() {
    let message = "`skip` expects a reason such as `\"needs the network\"`, found `\" \"`";
    is_rejected(quote!(skip = " "), message);
}

#[test]
fn crate_sets_the_path_to_the_library() {
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
fn crate_rejects_a_number() {
    let message = "`crate` expects a path such as `my_reexports::leakcheck`, found `5`";
    is_rejected(quote!(crate = 5), message);
}

#[test]
fn a_size_in_mib_is_a_finite_number() {
    for (value, found) in [
        (quote!("5"), "\"5\""),
        (quote!(true), "true"),
        (quote!(-1), "-1"),
        (quote!(-0.5), "-0.5"),
        (quote!(5MB), "5MB"),
        (quote!(1e999), "1e999"),
        (quote!(2 * 3), "2 * 3"),
    ] {
        let message =
            format!("`threshold_mb` expects a size in MiB such as `5` or `0.5`, found `{found}`");
        is_rejected(quote!(threshold_mb = #value), &message);
    }
}

#[test]
fn counts_are_whole_numbers() {
    let message = "`threshold_bytes` expects a whole number of bytes such as `4096`, found `1.5`";
    is_rejected(quote!(threshold_bytes = 1.5), message);
    let message = "`settle_ms` expects a whole number of milliseconds such as `500`, found `\"5\"`";
    is_rejected(quote!(settle_ms = "5"), message);
    let message = "`threads` expects a whole number of threads such as `0`, found `-1`";
    is_rejected(quote!(threads = -1), message);
    let message = "`fds` expects a whole number of file descriptors such as `0`, found `some`";
    is_rejected(quote!(fds = some), message);
    let message = "`children` expects a whole number of child processes such as `0`, found `0.5`";
    is_rejected(quote!(children = 0.5), message);
}

#[test]
fn a_count_must_fit_its_type() {
    let message = "`threshold_blocks` expects a number of blocks up to 18446744073709551615, \
                   found `18446744073709551616`";
    is_rejected(quote!(threshold_blocks = 18446744073709551616), message);
}

#[test]
fn top_must_be_at_least_one() {
    is_rejected(quote!(top = 0), "`top` expects at least 1 call site, found `0`");
}

#[test]
fn an_enum_value_is_one_of_its_names() {
    let message =
        "`kind` expects `\"unit\"`, `\"integration\"` or `\"long_running\"`, found `\"slow\"`";
    is_rejected(quote!(kind = "slow"), message);
    is_rejected(quote!(scope = test), "`scope` expects `\"test\"` or `\"process\"`, found `test`");
}

#[test]
fn one_limit_in_two_units_is_rejected() {
    let message = "`threshold_mb` and `threshold_bytes` set the same limit; give only one of them";
    is_rejected(quote!(threshold_bytes = 1, threshold_mb = 5), message);
}

#[test]
fn a_repeated_argument_is_rejected() {
    is_rejected(
        quote!(top = 1, threads = 0, top = 1),
        "`top` is given twice; remove one of the two",
    );
    is_rejected(quote!(skip, skip = "why"), "`skip` is given twice; remove one of the two");
}

#[test]
fn the_number_of_iterations_is_validated() {
    is_rejected(
        quote!(iterations = "often"),
        "`iterations` expects `\"auto\"` or a number of iterations such as `100`, found `\"often\"`",
    );
    is_rejected(quote!(iterations = 0), "`iterations` expects at least 1 iteration, found `0`");
    is_rejected(
        quote!(warmup = 0.5),
        "`warmup` expects a whole number of iterations such as `2`, found `0.5`",
    );
}

const EXPECTED_ONE_OF: &str = "expected one of: `threshold_mb`, `threshold_bytes`, `threshold_blocks`, `peak_mb`, \
                     `kind`, `scope`, `measure`, `skip`, `iterations`, `warmup`, `settle_ms`, `threads`, `fds`, \
                     `children`, `c_heap_mb`, `lost_bytes`, `top`, `crate`";

#[test]
fn an_unknown_argument_is_rejected() {
    is_rejected(quote!(limit = 5), &format!("unknown argument `limit`\n{EXPECTED_ONE_OF}"));
    is_rejected(quote!(foo), &format!("unknown argument `foo`\n{EXPECTED_ONE_OF}"));
}

#[test]
fn a_misspelled_argument_gets_a_suggestion() {
    let message =
        format!("unknown argument `treshold_mb`; did you mean `threshold_mb`?\n{EXPECTED_ONE_OF}");
    is_rejected(quote!(treshold_mb = 5), &message);
}

#[test]
fn an_argument_needs_a_name() {
    let message = "expected `name = value`, as in `threshold_mb = 5`, found `5`";
    is_rejected(quote!(5), message);
}

#[test]
fn an_argument_needs_a_value() {
    let message = "`peak_mb` needs a value, as in `peak_mb = 64`";
    is_rejected(quote!(peak_mb), message);
    is_rejected(quote!(peak_mb =), message);
    is_rejected(quote!(skip("why")), "expected `skip = \"why\"`, found `skip (\"why\")`");
}

#[test]
fn an_empty_argument_is_rejected() {
    is_rejected(quote!(top = 1,, threads = 0), "expected `name = value` before the comma");
}

#[test]
fn all_errors_are_reported_at_once() {
    fails(
        quote!(threshold_mb = "5", top = 0, warmup = -1, kind = 1),
        quote!(
            const fn f() {}
        ),
        &[
            "`threshold_mb` expects a size in MiB such as `5` or `0.5`, found `\"5\"`",
            "`top` expects at least 1 call site, found `0`",
            "`warmup` expects a whole number of iterations such as `2`, found `-1`",
            "`kind` expects `\"unit\"`, `\"integration\"` or `\"long_running\"`, found `1`",
            "`#[leak_check]` cannot be applied to a `const fn`",
        ],
    );
}
