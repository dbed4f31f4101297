//! Estimates the split by call site if call stacks are sampled.
//!
//! A block of `s` bytes is sampled with the probability `p = 1 - exp(-s / mean)`. Each sampled
//! block therefore stands for `1 / p` similar blocks (Horvitz and Thompson, 1952): itself and
//! `1 / p - 1` that were not sampled. The total that was not sampled is known exactly and is
//! apportioned by these weights, so the call sites add up to what is retained. The estimate assumes
//! that blocks of one call site have similar sizes. If they do not, it is right in bytes and too low
//! in blocks.

use super::sample::MEAN;
use super::split::SiteCount;
use crate::totals::Totals;

/// Apportions what was not sampled among the call sites that were. Returns the rest, which is all
/// of it if nothing was sampled.
pub(crate) fn apportion(unsampled: Totals, sites: &mut [SiteCount]) -> Totals {
    if sites.iter().all(|site| site.retained == site.certain) {
        return unsampled;
    }
    let weights = |part: fn(Totals) -> u64| -> Vec<f64> {
        let sampled = sites.iter().map(SiteCount::uncertain);
        sampled.map(|sampled| part(sampled) as f64 * unsampled_per_sampled(sampled)).collect()
    };
    let bytes = shares(unsampled.bytes, &weights(|amount| amount.bytes));
    let blocks = shares(unsampled.blocks, &weights(|amount| amount.blocks));
    let (Some(bytes), Some(blocks)) = (bytes, blocks) else { return unsampled };
    for ((site, bytes), blocks) in sites.iter_mut().zip(bytes).zip(blocks) {
        site.retained += Totals { bytes, blocks };
    }
    Totals::default()
}

/// Returns the expected number of blocks that were not sampled for each one that was, `1 / p - 1`.
fn unsampled_per_sampled(sampled: Totals) -> f64 {
    let size = sampled.bytes as f64 / sampled.blocks.max(1) as f64;
    1.0 / (size.max(1.0) / MEAN).exp_m1()
}

/// Splits a number in proportion to weights, into parts that add up to it. Returns `None` if all
/// weights are zero.
fn shares(whole: u64, weights: &[f64]) -> Option<Vec<u64>> {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let (mut weight_so_far, mut sum_so_far) = (0.0, 0);
    let share = |weight: &f64| {
        weight_so_far += weight;
        let sum = ((whole as f64 * (weight_so_far / total)).round() as u64).min(whole);
        let share = sum - sum_so_far;
        sum_so_far = sum;
        share
    };
    Some(weights.iter().map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(bytes: u64, blocks: u64) -> Totals {
        Totals { bytes, blocks }
    }

    /// Returns a call site that retains the given certain and sampled blocks.
    fn site(site: u32, certain: Totals, sampled: Totals) -> SiteCount {
        let mut retained = certain;
        retained += sampled;
        SiteCount { site, retained, certain, released: Totals::default() }
    }

    fn apportioned(unsampled: Totals, mut sites: Vec<SiteCount>) -> (Vec<Totals>, Totals) {
        let left = apportion(unsampled, &mut sites);
        (sites.into_iter().map(|site| site.retained).collect(), left)
    }

    #[test]
    fn a_sampled_block_has_the_weight_of_its_probability() {
        let close = |size: u64, expected: f64| {
            let found = unsampled_per_sampled(amount(3 * size, 3));
            assert!((found - expected).abs() < expected / 1000.0, "{size}: {found}");
        };
        // 1 / (1 - exp(-s / 16384)) - 1
        close(16, 1023.5);
        close(1024, 15.505);
        close(16 << 10, 0.58198);
        close(60_000, 0.026356);
    }

    #[test]
    fn unsampled_blocks_are_apportioned_by_weight() {
        // One in 164 blocks of 100 bytes is sampled, and one in 2.19 of 10,000 bytes.
        let sites = vec![
            site(1, Totals::default(), amount(1000, 10)),
            site(2, Totals::default(), amount(200_000, 20)),
        ];
        let (retained, left) = apportioned(amount(400_000, 1660), sites);
        assert_eq!(left, Totals::default());
        // The weights are 163,340.5 bytes and 237,789.9, and 1633.405 blocks and 23.779.
        assert_eq!(retained, [amount(163_880, 1646), amount(437_120, 44)]);
    }

    #[test]
    fn call_sites_add_up_to_the_total() {
        for n in 1..50_u64 {
            let sites = (1..=n).map(|id| {
                site(id as u32, amount(id * 70_000, id), amount(id * 37, id.div_ceil(3)))
            });
            let sites: Vec<SiteCount> = sites.collect();
            let unsampled = amount(1_000_003, 7919);
            let mut whole: Totals = sites.iter().map(|site| site.retained).sum();
            whole += unsampled;
            let (retained, left) = apportioned(unsampled, sites);
            assert_eq!(left, Totals::default());
            assert_eq!(retained.into_iter().sum::<Totals>(), whole);
        }
    }

    #[test]
    fn certain_blocks_are_not_changed() {
        let sites = vec![
            site(1, amount(1 << 20, 4), Totals::default()),
            site(2, Totals::default(), amount(100, 1)),
        ];
        let (retained, _) = apportioned(amount(9900, 99), sites);
        assert_eq!(retained, [amount(1 << 20, 4), amount(10_000, 100)]);
    }

    #[test]
    fn without_samples_nothing_is_apportioned() {
        let sites = vec![site(1, amount(1 << 20, 4), Totals::default())];
        let unsampled = amount(500, 5);
        assert_eq!(apportioned(unsampled, sites), (vec![amount(1 << 20, 4)], unsampled));
        assert_eq!(apportioned(unsampled, vec![]), (vec![], unsampled));
    }
}
