//! The split by call site where only a sample of the blocks has one.
//!
//! A block of `s` bytes is sampled with the chance `p = 1 - exp(-s / mean)`, so each one that was
//! stands for `1 / p` blocks like it (Horvitz and Thompson, 1952): itself and `1 / p - 1` that were
//! not sampled. How much was not sampled is known exactly, so it is dealt out in that proportion,
//! and the call sites add up to what is retained. The sizes at one call site are taken to be alike:
//! where they are not, bytes come out right and blocks too few.

use super::sample::MEAN;
use super::split::SiteCount;
use crate::volume::Volume;

/// Adds what was not sampled to the call sites that it probably comes from. Returns what is left:
/// all of it where nothing was sampled.
pub(crate) fn apportion(unsampled: Volume, sites: &mut [SiteCount]) -> Volume {
    let weights = |part: fn(Volume) -> u64| -> Vec<f64> {
        let sampled = sites.iter().map(SiteCount::uncertain);
        sampled.map(|sampled| part(sampled) as f64 * unsampled_to_each(sampled)).collect()
    };
    let bytes = shares(unsampled.bytes, &weights(|amount| amount.bytes));
    let blocks = shares(unsampled.blocks, &weights(|amount| amount.blocks));
    let (Some(bytes), Some(blocks)) = (bytes, blocks) else { return unsampled };
    for ((site, bytes), blocks) in sites.iter_mut().zip(bytes).zip(blocks) {
        site.retained += Volume { bytes, blocks };
    }
    Volume::default()
}

/// How many blocks that were not sampled there are to one that was: `1 / p - 1`.
fn unsampled_to_each(sampled: Volume) -> f64 {
    let size = sampled.bytes as f64 / sampled.blocks.max(1) as f64;
    1.0 / (size.max(1.0) / MEAN).exp_m1()
}

/// Parts of a whole in proportion to weights, which add up to it; `None` where nothing has weight.
fn shares(whole: u64, weights: &[f64]) -> Option<Vec<u64>> {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let (mut passed, mut dealt) = (0.0, 0);
    let share = |weight: &f64| {
        passed += weight;
        let up_to_here = ((whole as f64 * (passed / total)).round() as u64).min(whole);
        let share = up_to_here - dealt;
        dealt = up_to_here;
        share
    };
    Some(weights.iter().map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(bytes: u64, blocks: u64) -> Volume {
        Volume { bytes, blocks }
    }

    /// A call site with these blocks of which all are known, and those of a sample.
    fn site(site: u32, certain: Volume, sampled: Volume) -> SiteCount {
        let mut retained = certain;
        retained += sampled;
        SiteCount { site, retained, certain, released: Volume::default() }
    }

    fn dealt(unsampled: Volume, mut sites: Vec<SiteCount>) -> (Vec<Volume>, Volume) {
        let left = apportion(unsampled, &mut sites);
        (sites.into_iter().map(|site| site.retained).collect(), left)
    }

    #[test]
    fn a_sampled_block_stands_for_as_many_as_its_chance_says() {
        let close = |size: u64, expected: f64| {
            let found = unsampled_to_each(amount(3 * size, 3));
            assert!((found - expected).abs() < expected / 1000.0, "{size}: {found}");
        };
        // 1 / (1 - exp(-s / 16384)) - 1
        close(16, 1023.5);
        close(1024, 15.505);
        close(16 << 10, 0.58198);
        close(60_000, 0.026356);
    }

    #[test]
    fn what_was_not_sampled_goes_where_it_probably_comes_from() {
        // One of 164 blocks of 100 bytes is sampled, and one of 2.19 of 10,000.
        let sites = vec![
            site(1, Volume::default(), amount(1000, 10)),
            site(2, Volume::default(), amount(200_000, 20)),
        ];
        let (retained, left) = dealt(amount(400_000, 1660), sites);
        assert_eq!(left, Volume::default());
        // The weights are 163,340.5 bytes and 237,789.9, and 1633.405 blocks and 23.779.
        assert_eq!(retained, [amount(163_880, 1646), amount(437_120, 44)]);
    }

    #[test]
    fn call_sites_add_up_to_what_is_retained() {
        for n in 1..50_u64 {
            let sites = (1..=n).map(|id| {
                site(id as u32, amount(id * 70_000, id), amount(id * 37, id.div_ceil(3)))
            });
            let sites: Vec<SiteCount> = sites.collect();
            let unsampled = amount(1_000_003, 7919);
            let mut whole: Volume = sites.iter().map(|site| site.retained).sum();
            whole += unsampled;
            let (retained, left) = dealt(unsampled, sites);
            assert_eq!(left, Volume::default());
            assert_eq!(retained.into_iter().sum::<Volume>(), whole);
        }
    }

    #[test]
    fn what_is_certain_stays_as_it_is() {
        let sites = vec![
            site(1, amount(1 << 20, 4), Volume::default()),
            site(2, Volume::default(), amount(100, 1)),
        ];
        let (retained, _) = dealt(amount(9900, 99), sites);
        assert_eq!(retained, [amount(1 << 20, 4), amount(10_000, 100)]);
    }

    #[test]
    fn where_nothing_was_sampled_nothing_is_guessed() {
        let sites = vec![site(1, amount(1 << 20, 4), Volume::default())];
        let unsampled = amount(500, 5);
        assert_eq!(dealt(unsampled, sites), (vec![amount(1 << 20, 4)], unsampled));
        assert_eq!(dealt(unsampled, vec![]), (vec![], unsampled));
    }
}
