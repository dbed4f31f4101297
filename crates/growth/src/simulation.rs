//! The rule against bodies of known shape: a few of each, or as many as `LEAKCHECK_SIMULATIONS` says.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use leakcheck_report::{GrowthClass as Class, Stopped};

use crate::class;
use crate::plan::{Caps, Iterations, Plan, WARM_UP};
use crate::repeat::{Repeat, Step};
use crate::series::{Quantity, Reading};

/// Numbers for made-up bodies (xorshift64*, Vigna 2016).
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// From `low` to `high`, both included.
    fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A size with as many small ones as large ones.
    fn size(&mut self, low: u64, high: u64) -> u64 {
        let exponent =
            (high as f64 / low as f64).ln() * self.below(1 << 20) as f64 / (1 << 20) as f64;
        ((low as f64 * exponent.exp()) as u64).clamp(low, high)
    }

    fn chance(&mut self, of_ten: u64) -> bool {
        self.below(10) < of_ten
    }
}

/// A body: what is live at its call sites after each call.
type Body = Box<dyn FnMut(&mut Vec<i64>)>;

/// Repeats a body as `iterations = "auto"` does. Returns the classes of what grew.
fn repeat(body: &mut Body) -> (Vec<Class>, u64, Stopped) {
    let plan = Plan { iterations: Iterations::Auto, warmup: WARM_UP, caps: Caps::default() };
    let mut repeat = Repeat::new(plan);
    let mut live = Vec::new();
    let stop = loop {
        match repeat.next(Duration::ZERO) {
            Step::Call => body(&mut live),
            Step::Read { .. } => {
                let sites = live.iter().enumerate();
                let mut reading: Reading =
                    sites.map(|(site, live)| (Quantity::BytesAt(site as u32), *live)).collect();
                reading.insert(Quantity::Bytes, live.iter().sum());
                repeat.record(&reading);
            }
            Step::Over(stop) => break stop,
        }
    };
    let classes = repeat.series().tracks().filter_map(|(_, track)| class::class(track));
    (classes.collect(), repeat.calls(), stop)
}

/// How many bodies of each shape are made.
fn instances() -> u64 {
    match std::env::var("LEAKCHECK_SIMULATIONS") {
        Ok(number) => number.parse().expect("`LEAKCHECK_SIMULATIONS` is a number of bodies"),
        Err(_) => 40,
    }
}

/// Makes bodies of a shape and returns those with a leak among their classes.
fn leaks(shape: impl Fn(Random) -> Body) -> Vec<u64> {
    let found = |seed: &u64| {
        let mut body = shape(Random::new(*seed + 1));
        repeat(&mut body).0.contains(&Class::Leak)
    };
    (0..instances()).filter(found).collect()
}

#[track_caller]
fn never_leaks(shape: impl Fn(Random) -> Body) {
    let wrong = leaks(shape);
    assert!(wrong.is_empty(), "{} false alarms: {wrong:?}", wrong.len());
}

#[track_caller]
fn always_leaks(shape: impl Fn(Random) -> Body) {
    let found = leaks(shape);
    let missed: Vec<u64> = (0..instances()).filter(|seed| !found.contains(seed)).collect();
    assert!(missed.is_empty(), "{} missed: {missed:?}", missed.len());
}

/// A body that has one call site.
fn one(mut body: impl FnMut(i64) -> i64 + 'static) -> Body {
    let mut calls = 0;
    Box::new(move |live| {
        calls += 1;
        live.resize(1, 0);
        live[0] = body(calls);
    })
}

#[test]
fn flat() {
    never_leaks(|mut random| {
        let size = random.size(1, 1 << 20) as i64;
        one(move |_| size)
    });
}

#[test]
fn a_flat_body_is_called_nine_times() {
    let mut body = one(|_| 100);
    assert_eq!(repeat(&mut body), (vec![], 9, Stopped::Certain));
}

/// Calls that take ever longer, in milliseconds.
#[test]
fn a_body_that_slows_down_ends_in_time() {
    let caps = Caps { calls: 16_383, time: Duration::from_secs(3) };
    let plan = Plan { iterations: Iterations::Auto, warmup: WARM_UP, caps };
    let mut repeat = Repeat::new(plan);
    let mut elapsed = Duration::ZERO;
    let stop = loop {
        match repeat.next(elapsed) {
            Step::Call => elapsed += Duration::from_millis(repeat.calls()),
            Step::Read { .. } => {
                let live = repeat.calls() as i64;
                repeat.record(&Reading::from([
                    (Quantity::BytesAt(1), live),
                    (Quantity::Bytes, live),
                ]));
            }
            Step::Over(stop) => break stop,
        }
    };
    assert_eq!(stop, Stopped::CapOfTime);
    assert!(elapsed <= caps.time, "{elapsed:?}");
    let batches = repeat.batch_sizes();
    assert_eq!(batches, [1, 2, 4, 8, 16, 32], "{elapsed:?}");
}

/// A batch whose calls suddenly hang is cut short, and what it saw counts.
#[test]
fn a_batch_that_hangs_is_cut_short() {
    let caps = Caps { calls: 16_383, time: Duration::from_secs(3) };
    let plan = Plan { iterations: Iterations::Auto, warmup: WARM_UP, caps };
    let mut repeat = Repeat::new(plan);
    let mut elapsed = Duration::ZERO;
    loop {
        match repeat.next(elapsed) {
            Step::Call if repeat.calls() > 70 => elapsed += Duration::from_secs(1),
            Step::Call => {}
            Step::Read { .. } => {
                let live = repeat.calls() as i64;
                repeat.record(&Reading::from([
                    (Quantity::BytesAt(1), live),
                    (Quantity::Bytes, live),
                ]));
            }
            Step::Over(stop) => break assert_eq!(stop, Stopped::CapOfTime),
        }
    }
    assert!(elapsed <= caps.time * 5 + Duration::from_secs(1), "{elapsed:?}");
    let track = repeat.series().track(Quantity::BytesAt(1)).unwrap();
    assert_eq!(track.spans().len(), repeat.batch_sizes().len());
    assert_eq!(class::class(track), Some(Class::Leak));
}

/// What a body that takes half a second a call is taken for: it is not called often.
fn slowly(mut body: Body) -> (Vec<Class>, u64) {
    let plan = Plan { iterations: Iterations::Auto, warmup: WARM_UP, caps: Caps::default() };
    let mut repeat = Repeat::new(plan);
    let (mut live, mut elapsed) = (Vec::new(), Duration::ZERO);
    loop {
        match repeat.next(elapsed) {
            Step::Call => {
                body(&mut live);
                elapsed += Duration::from_millis(500);
            }
            Step::Read { .. } => {
                repeat.record(&Reading::from([
                    (Quantity::BytesAt(1), live[0]),
                    (Quantity::Bytes, live[0]),
                ]));
            }
            Step::Over(_) => break,
        }
    }
    let classes = repeat.series().tracks().filter_map(|(_, track)| class::class(track));
    (classes.collect(), repeat.calls())
}

#[test]
fn few_calls_decide_nothing() {
    let filling = one(|call| call.min(30) * 100);
    let (classes, calls) = slowly(filling);
    assert!(classes.iter().all(|class| *class == Class::Undecided), "{classes:?}");
    assert_eq!(calls, 17);
    assert_eq!(slowly(one(|_| 100)), (vec![], 5));
}

/// Whatever number is asked for.
#[test]
fn a_number_of_calls_is_made_in_batches_that_can_be_compared() {
    for asked in 2..300 {
        let plan =
            Plan { iterations: Iterations::Exactly(asked), warmup: 0, caps: Caps::default() };
        let mut repeat = Repeat::new(plan);
        loop {
            match repeat.next(Duration::ZERO) {
                Step::Call => {}
                Step::Read { .. } => {
                    let live = repeat.calls() as i64;
                    repeat.record(&Reading::from([(Quantity::BytesAt(1), live)]));
                }
                Step::Over(_) => break,
            }
        }
        assert_eq!(repeat.calls(), asked);
        let track = repeat.series().track(Quantity::BytesAt(1)).unwrap();
        let class = class::class(track).map(|class| class::with_few(class, true));
        assert_eq!(class, Some(Class::Leak), "{:?}", repeat.batch_sizes());
    }
}

/// The last two batches are proportional, after a fall that nothing distinguishes from the next.
#[test]
fn a_tide_that_has_turned_is_not_a_leak_yet() {
    for turn in 2300..2400 {
        let iterations = Iterations::Exactly(16_383);
        let mut repeat = Repeat::new(Plan { iterations, warmup: 0, caps: Caps::default() });
        loop {
            match repeat.next(Duration::ZERO) {
                Step::Call => {}
                Step::Read { .. } => {
                    let live = (repeat.calls() as i64 - turn).abs();
                    repeat.record(&Reading::from([(Quantity::BytesAt(1), live)]));
                }
                Step::Over(_) => break,
            }
        }
        let track = repeat.series().track(Quantity::BytesAt(1)).unwrap();
        assert_eq!(class::class(track), Some(Class::Plateau), "turned at {turn}");
    }
}

#[test]
fn a_lazy_step() {
    for step in [1, 5, 20] {
        never_leaks(move |mut random| {
            let size = random.size(1, 1 << 20) as i64;
            one(move |call| if call >= step { size } else { 0 })
        });
    }
}

#[test]
fn a_cache_that_drops_the_oldest() {
    never_leaks(|mut random| {
        let (most, each) = (random.size(10, 5000), random.size(8, 4096));
        let entries = random.within(1, 8);
        one(move |call| (call as u64 * entries).min(most) as i64 * each as i64)
    });
}

#[test]
fn a_cache_that_drops_the_least_used() {
    never_leaks(|mut random| {
        // Keys are asked for again; entries differ in size.
        let (most, keys) = (random.size(10, 2000) as usize, random.size(20, 10_000));
        let (each, entries) = (random.size(8, 512), random.within(1, 4));
        let (mut used, mut known) = (BTreeMap::new(), HashMap::new());
        let (mut clock, mut bytes) = (0, 0);
        one(move |_| {
            for _ in 0..entries {
                let key = random.below(keys);
                clock += 1;
                if let Some((last, _)) = known.get_mut(&key) {
                    used.remove(last);
                    *last = clock;
                } else {
                    let size = random.within(each, each * 2) as i64;
                    known.insert(key, (clock, size));
                    bytes += size;
                }
                used.insert(clock, key);
                if used.len() > most {
                    let (_, dropped) = used.pop_first().expect("it is not empty");
                    bytes -= known.remove(&dropped).expect("what is used is known").1;
                }
            }
            bytes
        })
    });
}

#[test]
fn a_cache_that_drops_any() {
    never_leaks(|mut random| {
        let (most, each) = (random.size(10, 5000) as usize, random.size(8, 4096));
        let entries = random.within(1, 4);
        let mut sizes: Vec<i64> = Vec::new();
        let mut bytes = 0;
        one(move |_| {
            for _ in 0..entries {
                let size = random.within(each, each * 4) as i64;
                bytes += size;
                if sizes.len() < most {
                    sizes.push(size);
                } else {
                    let dropped = random.below(most as u64) as usize;
                    bytes -= std::mem::replace(&mut sizes[dropped], size);
                }
            }
            bytes
        })
    });
}

#[test]
fn a_sawtooth() {
    never_leaks(|mut random| {
        let (period, each) = (random.size(2, 3000) as i64, random.size(1, 1 << 14) as i64);
        let phase = random.below(period as u64) as i64;
        one(move |call| (call + phase) % period * each)
    });
}

#[test]
fn a_pool_that_grows_to_the_concurrency() {
    never_leaks(|mut random| {
        let (most, each) = (random.within(2, 64), random.size(64, 1 << 16) as i64);
        let mut pool = 0;
        one(move |_| {
            pool = pool.max(random.within(1, most) as i64);
            pool * each
        })
    });
}

#[test]
fn what_goes_up_and_down_at_random() {
    never_leaks(|mut random| {
        let (most, each) = (random.within(2, 500) as i64, random.size(8, 4096) as i64);
        let mut live = 0_i64;
        one(move |_| {
            live = (live + random.within(0, 20) as i64 - 10).clamp(0, most);
            live * each
        })
    });
}

#[test]
fn a_leak_in_every_call() {
    always_leaks(|mut random| {
        let each = random.size(1, 1 << 20) as i64;
        one(move |call| call * each)
    });
}

#[test]
fn a_leak_in_every_seventh_call() {
    always_leaks(|mut random| {
        let (phase, each) = (random.below(7) as i64, random.size(1, 1 << 16) as i64);
        one(move |call| (call + phase) / 7 * each)
    });
}

#[test]
fn a_vector_that_doubles() {
    always_leaks(|mut random| {
        let (entry, pushes) = ([1, 4, 8, 24, 100][random.below(5) as usize], random.within(1, 9));
        let mut capacity = 0;
        one(move |call| {
            let length = call as u64 * pushes;
            if length > capacity {
                let least = if entry == 1 { 8 } else { 4 };
                capacity = length.max(capacity * 2).max(least);
            }
            (capacity * entry) as i64
        })
    });
}

#[test]
fn a_table_that_is_rehashed() {
    always_leaks(|mut random| {
        let (entry, inserts) = (random.within(8, 64), random.within(1, 9));
        one(move |call| {
            let length = call as u64 * inserts;
            let buckets = match length {
                0..=3 => 4,
                4..=7 => 8,
                _ => (length * 8).div_ceil(7).next_power_of_two(),
            };
            (buckets * (entry + 1) + 16) as i64
        })
    });
}

/// Where it shows at all: a body that leaves nothing behind in eight calls after its first one is
/// taken for clean, and so it is said.
#[test]
fn a_leak_by_chance() {
    let shape = |mut random: Random| {
        let each = random.size(1, 1 << 16) as i64;
        let mut live = 0;
        one(move |_| {
            live += i64::from(random.chance(3)) * each;
            live
        })
    };
    let found = leaks(shape);
    let shows = |seed: &u64| {
        let mut body = shape(Random::new(*seed + 1));
        let mut live = Vec::new();
        let course: Vec<i64> = (0..9)
            .map(|_| {
                body(&mut live);
                live[0]
            })
            .collect();
        course[8] > course[0]
    };
    let missed: Vec<u64> =
        (0..instances()).filter(|seed| shows(seed) && !found.contains(seed)).collect();
    assert!(missed.is_empty(), "{} missed: {missed:?}", missed.len());
}

#[test]
fn a_leak_beside_a_warm_up_that_is_a_thousand_times_larger() {
    always_leaks(|mut random| {
        let each = random.size(1, 1 << 10) as i64;
        Box::new({
            let mut calls = 0;
            move |live| {
                calls += 1;
                *live = vec![1000 * each, calls * each];
            }
        })
    });
    // At the same call site too.
    always_leaks(|mut random| {
        let each = random.size(1, 1 << 10) as i64;
        one(move |call| 1000 * each + call * each)
    });
}

#[test]
fn a_leak_of_what_a_full_cache_drops() {
    always_leaks(|mut random| {
        let most = random.within(10, 1000) as i64;
        one(move |call| 100 * call.min(most) + 24 * (call - most).max(0))
    });
}
