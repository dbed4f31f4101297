//! Numbers as people read them: one way to write sizes, durations and counts.

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A size in the unit that suits it, with three significant digits: `999 B`, `1.00 KiB`, `12.3 KiB`,
/// `3.99 MiB`. Bytes are exact.
pub fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{} B", count(bytes));
    }
    let mut value = bytes as f64;
    for unit in UNITS {
        value /= 1024.0;
        let decimals = [2, 1, 0].into_iter().find(|decimals| {
            // Rounded first, so that 9.999 is 10.0 and not 10.00.
            rounded(value, *decimals) < [1024.0, 100.0, 10.0][*decimals]
        });
        if let Some(decimals) = decimals {
            let text = format!("{:.decimals$}", rounded(value, decimals));
            let (whole, part) = text.split_at(text.find('.').unwrap_or(text.len()));
            return format!("{}{part} {unit}", grouped(whole));
        }
    }
    unreachable!("2^64 bytes are 16 EiB");
}

fn rounded(value: f64, decimals: usize) -> f64 {
    let factor = [1.0, 10.0, 100.0][decimals];
    (value * factor).round() / factor
}

/// The size of a difference, with a minus where it is negative.
pub fn signed_size(bytes: i64) -> String {
    format!("{}{}", sign(bytes), size(bytes.unsigned_abs()))
}

/// A size with its bytes beside it: `8.42 MiB (8,829,042 bytes)`.
pub fn exact_size(bytes: u64) -> String {
    if bytes < 1024 { size(bytes) } else { format!("{} ({} bytes)", size(bytes), count(bytes)) }
}

/// A limit in bytes: in a unit only where that is exact, so that it never reads like what exceeds it.
pub fn size_limit(bytes: u64) -> String {
    let unit = (1..=UNITS.len() as u32).map(|power| 1 << (10 * power));
    let largest = unit.take_while(|unit| *unit <= bytes).last().unwrap_or(1_u64);
    if bytes.is_multiple_of(largest) { size(bytes) } else { format!("{} bytes", count(bytes)) }
}

/// A number with a comma between thousands.
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// The same for a difference.
pub fn signed_count(number: i64) -> String {
    format!("{}{}", sign(number), count(number.unsigned_abs()))
}

fn sign(number: i64) -> &'static str {
    if number < 0 { "−" } else { "" }
}

/// A number of things: `1 test`, `2,000 tests`, `3 child processes`, `4 batches`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {}", count(number), if number == 1 { noun.to_owned() } else { plural(noun) })
}

/// The plural of a noun that forms it regularly.
pub fn plural(noun: &str) -> String {
    const SIBILANTS: [&str; 5] = ["s", "x", "z", "ch", "sh"];
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if SIBILANTS.iter().any(|end| noun.ends_with(end)) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// A duration in the unit that suits it: `12 ms`, `1.25 s`, `2 min 5 s`, `3 h 20 min`.
pub fn seconds(seconds: f64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    // Rounded before the unit is chosen, so that no part reaches the next unit.
    let in_units = |per_second: f64| (seconds.max(0.0) * per_second).round() as u64;
    let (whole, minutes) = (in_units(1.0), in_units(1.0 / 60.0));
    if in_units(1e6) < 1000 {
        format!("{} µs", in_units(1e6))
    } else if in_units(1e3) < 1000 {
        format!("{} ms", in_units(1e3))
    } else if in_units(1e2) < 2 * MINUTE * 100 {
        let hundredths = in_units(1e2);
        format!("{}.{:02} s", hundredths / 100, hundredths % 100)
    } else if whole < 2 * HOUR {
        format!("{} min {} s", whole / MINUTE, whole % MINUTE)
    } else {
        format!("{} h {} min", count(minutes / 60), minutes % 60)
    }
}

/// A part of a whole: `60.6 %`.
pub fn share(part: u64, whole: u64) -> String {
    format!("{:.1} %", if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 })
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
