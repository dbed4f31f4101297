//! Figures as people read them.

/// Bytes: `456 B`, `82.0 kB`, `3.99 MB`. A MB is 1,048,576 bytes.
pub(crate) fn bytes(bytes: i64) -> String {
    let size = bytes.unsigned_abs();
    let sign = if bytes < 0 { "−" } else { "" };
    match size {
        0..1024 => format!("{sign}{size} B"),
        1024..1_048_576 => format!("{sign}{:.1} kB", size as f64 / 1024.0),
        _ => format!("{sign}{:.2} MB", size as f64 / 1_048_576.0),
    }
}

/// The same for what is never negative.
pub(crate) fn unsigned(size: u64) -> String {
    bytes(i64::try_from(size).unwrap_or(i64::MAX))
}

/// With a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 test`, `2 tests`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = match number {
        1 => "",
        _ if what.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {what}{plural}", grouped(number as u64))
}

/// `1 thread runs`, `2 threads run`.
pub(crate) fn subject(number: i64, what: &str, [does, do_]: [&str; 2]) -> String {
    let number = usize::try_from(number).unwrap_or(0);
    format!("{} {}", count(number, what), if number == 1 { does } else { do_ })
}

/// Seconds: `12 ms`, `1.25 s`, `2 min 5 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.2} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        assert_eq!(bytes(456), "456 B");
        assert_eq!(bytes(-456), "−456 B");
        assert_eq!(bytes(83_984), "82.0 kB");
        assert_eq!(bytes(4_179_984), "3.99 MB");
        assert_eq!(unsigned(u64::MAX), "8796093022208.00 MB");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
        assert_eq!(count(1, "test"), "1 test");
        assert_eq!(count(2_000, "test"), "2,000 tests");
        assert_eq!(subject(1, "thread", ["runs", "run"]), "1 thread runs");
        assert_eq!(subject(2, "thread", ["runs", "run"]), "2 threads run");
    }
}
