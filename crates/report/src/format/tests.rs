use super::*;

/// Numbers around every power of two and of ten, and others spread over all magnitudes (xorshift64,
/// Marsaglia 2003).
fn numbers() -> impl Iterator<Item = u64> {
    let powers = (0..64).map(|bit| 1_u64 << bit);
    let tens = (0..20).map(|exponent| 10_u64.pow(exponent));
    let near = powers.chain(tens).flat_map(|number| {
        (0..=70_u64).flat_map(move |by| [number.saturating_sub(by), number.saturating_add(by)])
    });
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let spread = (0..10_000_u32).map(move |index| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> (index % 64)
    });
    near.chain(spread).chain([0, u64::MAX])
}

#[test]
fn no_size_reaches_the_next_unit() {
    for bytes in numbers() {
        let text = size(bytes);
        let (number, unit) = text.split_once(' ').unwrap();
        let value: f64 = number.replace(',', "").parse().unwrap();
        assert!(value < 1024.0, "{bytes} bytes are {text}");
        let exponent = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
            .iter()
            .position(|known| *known == unit)
            .unwrap();
        assert!(exponent == 0 || value >= 1.0, "{bytes} bytes are {text}");
        let shown = value * 1024_f64.powi(exponent as i32);
        assert!((shown - bytes as f64).abs() <= bytes as f64 * 0.005, "{bytes} bytes are {text}");
        let digits = number.chars().filter(char::is_ascii_digit).count();
        assert!(exponent == 0 || digits == 3 || (digits == 4 && value >= 1000.0), "{text}");
    }
}

#[test]
fn larger_sizes_never_read_smaller() {
    let mut all: Vec<u64> = numbers().collect();
    all.sort_unstable();
    let value = |bytes: u64| {
        let text = size(bytes);
        let (number, unit) = text.split_once(' ').unwrap();
        let exponent = UNITS.iter().position(|known| *known == unit).map_or(0, |at| at as i32 + 1);
        number.replace(',', "").parse::<f64>().unwrap() * 1024_f64.powi(exponent)
    };
    assert!(all.windows(2).all(|pair| value(pair[0]) <= value(pair[1])));
}

#[test]
fn sizes_have_the_unit_that_suits_them() {
    let sizes = [0, 999, 1000, 1023, 1024, 12_595, 102_400, 1_047_000, (1 << 20) - 1, 1 << 20];
    let expected = [
        "0 B",
        "999 B",
        "1,000 B",
        "1,023 B",
        "1.00 KiB",
        "12.3 KiB",
        "100 KiB",
        "1,022 KiB",
        "1.00 MiB",
        "1.00 MiB",
    ];
    assert_eq!(sizes.map(size), expected.map(String::from));
    assert_eq!(size(8_829_042), "8.42 MiB");
    assert_eq!(size(5_000 << 20), "4.88 GiB");
    assert_eq!(size(u64::MAX), "16.0 EiB");
    assert_eq!(signed_size(-2048), "−2.00 KiB");
    assert_eq!(exact_size(185), "185 B");
    assert_eq!(exact_size(8_829_042), "8.42 MiB (8,829,042 bytes)");
}

#[test]
fn a_limit_is_exact() {
    let limits = [0, 1904, 2048, 1 << 20, 5 << 20, 8_829_042, 1023 << 10, 2000 << 20];
    let expected = [
        "0 B",
        "1,904 bytes",
        "2.00 KiB",
        "1.00 MiB",
        "5.00 MiB",
        "8,829,042 bytes",
        "1,023 KiB",
        "2,097,152,000 bytes",
    ];
    assert_eq!(limits.map(size_limit), expected.map(String::from));
    for bytes in numbers() {
        let text = size_limit(bytes);
        let (number, unit) = text.split_once(' ').unwrap();
        let factor = match unit {
            "B" | "bytes" => 1,
            unit => {
                1024_u128.pow(1 + UNITS.iter().position(|known| *known == unit).unwrap() as u32)
            }
        };
        let whole = number.split('.').next().unwrap().replace(',', "");
        let value: u128 = whole.parse().unwrap();
        assert_eq!(value * factor, u128::from(bytes), "{bytes} bytes are {text}");
    }
}

#[test]
fn large_numbers_are_grouped() {
    let numbers = [0, 1, 999, 1000, 41_220, 1_234_567];
    let expected = ["0", "1", "999", "1,000", "41,220", "1,234,567"];
    assert_eq!(numbers.map(count), expected.map(String::from));
    assert_eq!(signed_count(-1234), "−1,234");
}

#[test]
fn nouns_have_their_plurals() {
    assert_eq!(counted(1, "test"), "1 test");
    assert_eq!(counted(2_000, "test"), "2,000 tests");
    assert_eq!(counted(0, "child process"), "0 child processes");
    let plurals = ["batch", "entry", "delay", "more call site"].map(plural);
    assert_eq!(plurals, ["batches", "entries", "delays", "more call sites"].map(String::from));
}

#[test]
fn durations_have_the_unit_that_suits_them() {
    let cases = [
        (0.0, "0 µs"),
        (0.000_999_6, "1 ms"),
        (0.012, "12 ms"),
        (0.999_6, "1.00 s"),
        (1.25, "1.25 s"),
        (119.994, "119.99 s"),
        (119.996, "2 min 0 s"),
        (125.0, "2 min 5 s"),
        (179.6, "3 min 0 s"),
        (7199.4, "119 min 59 s"),
        (7199.6, "2 h 0 min"),
        (12_000.0, "3 h 20 min"),
        (172_800.0, "48 h 0 min"),
    ];
    for (value, expected) in cases {
        assert_eq!(seconds(value), expected, "{value} s");
    }
}

#[test]
fn no_part_of_a_duration_reaches_the_next_unit() {
    for number in numbers().filter(|number| *number < 1 << 50) {
        let text = seconds(number as f64 / 1e6);
        let parts: Vec<&str> = text.split(' ').collect();
        for pair in parts.chunks(2) {
            let value: f64 = pair[0].replace(',', "").parse().unwrap();
            let most = match (pair[1], parts.len()) {
                ("µs" | "ms", _) => 1000.0,
                ("s", 2) => 120.0,
                ("s", _) => 60.0,
                ("min", _) if parts[1] == "min" => 120.0,
                ("min", _) => 60.0,
                _ => f64::INFINITY,
            };
            assert!(value < most, "{number} µs are {text}");
        }
    }
}

#[test]
fn shares_have_one_decimal() {
    assert_eq!([share(1, 3), share(0, 0), share(7, 7)], ["33.3 %", "0.0 %", "100.0 %"]);
}
