//! Rules from handwritten tables. Every architecture tests the tables of all.

use super::{FRAME_POINTER, PackedRule, STACK_POINTER, aarch64, rule_for, x86_64};
use crate::eh_frame::tests::*;

/// Returns the rule at the end of the function.
fn last<R: PackedRule>(tables: &Tables, instructions: &[u8]) -> R {
    rule_for(CODE + CODE_LENGTH - 1, &tables.with(instructions), HDR_ADDRESS)
}

mod on_aarch64 {
    use super::aarch64::{Rule, without_signature};
    use super::*;

    fn rule(instructions: &[u8]) -> Rule {
        last(&AARCH64, instructions)
    }

    /// Returns the kind, and the distances of the CFA, the return address and the frame pointer.
    fn parts(rule: Rule) -> (u32, usize, usize, usize) {
        assert_eq!(rule.bits() >> Rule::BITS, 0, "{rule:?}");
        assert_eq!(Rule::from_bits(rule.bits()), rule);
        (rule.kind(), rule.cfa_offset(), rule.return_offset(), rule.saved_offset())
    }

    /// `stp x29, x30, [sp, #-64]!`, as gcc describes it.
    const AT_THE_BOTTOM: &[u8] =
        &[cfa::advance(1), cfa::DEF_CFA_OFFSET, 64, cfa::offset(X29), 8, cfa::offset(X30), 7];

    #[test]
    fn a_frame_record_at_the_bottom_is_found() {
        assert_eq!(parts(rule(AT_THE_BOTTOM)), (STACK_POINTER, 64, 56, 64));
    }

    #[test]
    fn a_frame_record_at_the_top_uses_the_frame_pointer() {
        let llvm = Tables { code_alignment: 1, data_alignment: -4, ..AARCH64 };
        let instructions = [
            cfa::advance(4),
            cfa::DEF_CFA_OFFSET,
            80,
            cfa::advance(8),
            cfa::DEF_CFA,
            X29,
            16,
            cfa::offset(X30),
            2,
            cfa::offset(X29),
            4,
        ];
        assert_eq!(parts(last(&llvm, &instructions)), (FRAME_POINTER, 16, 8, 16));
    }

    #[test]
    fn a_return_address_may_be_saved_alone() {
        let alone = [cfa::DEF_CFA_OFFSET, 32, cfa::offset(X30), 4];
        assert_eq!(parts(rule(&alone)), (STACK_POINTER, 32, 32, 0));
    }

    #[test]
    fn a_return_address_in_its_register_is_unsupported() {
        assert_eq!(
            rule_for::<Rule>(CODE, &AARCH64.with(AT_THE_BOTTOM), HDR_ADDRESS),
            Rule::UNSUPPORTED
        );
        assert_eq!(rule(&[cfa::SAME_VALUE, X30]), Rule::UNSUPPORTED);
    }

    #[test]
    fn an_undefined_return_address_ends_the_stack() {
        assert_eq!(rule(&[cfa::UNDEFINED, X30]), Rule::END);
    }

    #[test]
    fn code_without_tables_is_unsupported() {
        let tables = AARCH64.with(AT_THE_BOTTOM);
        assert_eq!(rule_for::<Rule>(CODE + CODE_LENGTH, &tables, HDR_ADDRESS), Rule::UNSUPPORTED);
    }

    #[test]
    fn signed_return_addresses_have_the_same_rules() {
        let signed = [&[cfa::advance(1), cfa::AARCH64_NEGATE_RA_STATE], AT_THE_BOTTOM].concat();
        assert_eq!(parts(rule(&signed)), (STACK_POINTER, 64, 56, 64));
    }

    #[test]
    fn the_signature_is_removed_from_an_address() {
        assert_eq!(without_signature(0x0000_aaaa_bbbb_cccc), 0x0000_aaaa_bbbb_cccc);
        assert_eq!(without_signature(0x7f5d_aaaa_bbbb_cccc), 0x0000_aaaa_bbbb_cccc);
    }

    #[test]
    fn a_frame_pointer_elsewhere_is_unsupported() {
        let above = [cfa::DEF_CFA_OFFSET, 64, cfa::offset(X29), 6, cfa::offset(X30), 7];
        let alone = [cfa::DEF_CFA_OFFSET, 16, cfa::offset(X29), 1];
        let moved = [cfa::DEF_CFA_OFFSET, 64, cfa::offset(X30), 7, cfa::REGISTER, X29, 13];
        for instructions in [&above[..], &alone, &moved] {
            assert_eq!(rule(instructions), Rule::UNSUPPORTED, "{instructions:?}");
        }
    }

    #[test]
    fn a_return_address_elsewhere_is_unsupported() {
        let moved = [cfa::REGISTER, X30, 13];
        let at_the_cfa = [cfa::offset(X30), 0];
        let above = [cfa::OFFSET_EXTENDED_SF, X30, 0x7f];
        for instructions in [&moved[..], &at_the_cfa, &above] {
            assert_eq!(rule(instructions), Rule::UNSUPPORTED, "{instructions:?}");
        }
    }

    #[test]
    fn a_cfa_by_another_register_or_an_expression_is_unsupported() {
        let saved = [cfa::offset(X30), 2];
        // The CFA is relative to x19, or given by an expression.
        for cfa in [[cfa::DEF_CFA_REGISTER, 19, 0], [cfa::DEF_CFA_EXPRESSION, 1, 0x50]] {
            assert_eq!(rule(&[&saved[..], &cfa].concat()), Rule::UNSUPPORTED);
        }
    }

    #[test]
    fn distances_that_do_not_fit_are_unsupported() {
        let frame = |cfa: u64, below: u64| {
            let saved = [&[cfa::offset(X30)], &leb(below / 8)[..]].concat();
            rule(&[&[cfa::DEF_CFA_OFFSET], &leb(cfa)[..], &saved].concat())
        };
        let (cfa, below) = ((1 << 17) - 8, (1 << 16) - 8);
        let largest = (STACK_POINTER, cfa as usize, below as usize, 0);
        assert_eq!(parts(frame(cfa, below)), largest);
        assert_eq!(parts(frame(64, 8)), (STACK_POINTER, 64, 8, 0));
        for (cfa, below) in [(cfa + 8, below), (cfa, below + 8), (64 + 4, 8), (u64::MAX - 7, 8)] {
            assert_eq!(frame(cfa, below), Rule::UNSUPPORTED, "{cfa:#x}, {below:#x}");
        }
    }

    #[test]
    fn a_signals_frame_is_unsupported() {
        let signal = Tables { augmentation: "zRS", ..AARCH64 };
        assert_eq!(last::<Rule>(&signal, AT_THE_BOTTOM), Rule::UNSUPPORTED);
    }
}

mod on_x86_64 {
    use super::x86_64::{Rule, without_signature};
    use super::*;

    fn rule(instructions: &[u8]) -> Rule {
        last(&X86_64, instructions)
    }

    /// Returns the kind, and the distances of the CFA, the return address and the frame pointer.
    fn parts(rule: Rule) -> (u32, usize, usize, usize) {
        assert_eq!(rule.bits() >> Rule::BITS, 0, "{rule:?}");
        assert_eq!(Rule::from_bits(rule.bits()), rule);
        (rule.kind(), rule.cfa_offset(), rule.return_offset(), rule.saved_offset())
    }

    /// `push rbp; mov rbp, rsp`.
    const WITH_POINTER: &[u8] = &[
        cfa::advance(1),
        cfa::DEF_CFA_OFFSET,
        16,
        cfa::offset(RBP),
        2,
        cfa::advance(3),
        cfa::DEF_CFA_REGISTER,
        RBP,
    ];

    #[test]
    fn a_frame_without_a_frame_pointer_uses_the_stack_pointer() {
        assert_eq!(parts(rule(&[cfa::DEF_CFA_OFFSET, 112])), (STACK_POINTER, 112, 8, 0));
    }

    #[test]
    fn a_frame_with_a_frame_pointer_uses_it() {
        assert_eq!(parts(rule(WITH_POINTER)), (FRAME_POINTER, 16, 8, 16));
    }

    #[test]
    fn an_undefined_return_address_ends_the_stack() {
        assert_eq!(rule(&[cfa::UNDEFINED, RIP]), Rule::END);
    }

    #[test]
    fn rows_that_no_rule_describes_are_unsupported() {
        let return_elsewhere = [cfa::offset(RIP), 2];
        let pointer_moved = [cfa::REGISTER, RBP, RBX];
        let by_another_register = [cfa::DEF_CFA_REGISTER, RBX];
        let half_a_word = [cfa::DEF_CFA_OFFSET, 12];
        let another_architectures = [cfa::AARCH64_NEGATE_RA_STATE];
        for instructions in [
            &return_elsewhere[..],
            &pointer_moved,
            &by_another_register,
            &half_a_word,
            &another_architectures,
        ] {
            assert_eq!(rule(instructions), Rule::UNSUPPORTED, "{instructions:?}");
        }
    }

    #[test]
    fn a_distance_that_cannot_be_negated_is_unsupported() {
        let plain = Tables { data_alignment: 1, ..X86_64 };
        let mut smallest = leb((i64::from(i32::MIN)).cast_unsigned());
        smallest[9] = 0x7f;
        let instructions =
            [&[cfa::OFFSET_EXTENDED_SF, RIP, 0x78, cfa::OFFSET_EXTENDED_SF, RBP], &smallest[..]];
        assert_eq!(last::<Rule>(&plain, &instructions.concat()), Rule::UNSUPPORTED);
    }

    #[test]
    fn addresses_are_not_signed() {
        assert_eq!(without_signature(0xffff_aaaa_bbbb_cccc), 0xffff_aaaa_bbbb_cccc);
    }
}
