//! Durations and sizes as they are typed: `10s`, `256MiB`.

use std::time::Duration;

/// Names and nanoseconds.
const TIMES: &[(&str, u64)] = &[
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Names and bytes.
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A duration: a number and `ms`, `s`, `m` or `h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let nanoseconds = quantity(text, TIMES)
        .ok_or("a time is a whole number with its unit: ms, s, m or h, as in 200ms or 10s")?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// A size in bytes: a number and `B`, `KiB`, `MiB` or `GiB`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    quantity(text, SIZES)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| {
            "a size is a whole number with its unit: B, KiB, MiB or GiB, as in 256MiB".into()
        })
}

/// A whole number above 0 with a unit; `None` if it is not that or too large.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_a_unit() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(size("1B"), Ok(1));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("256MiB"), Ok(1 << 28));
        assert_eq!(size("4GiB"), Ok(1 << 32));
    }

    #[test]
    fn what_is_not_one_is_refused_with_what_one_is() {
        for bad in [
            "",
            "10",
            "s",
            "0s",
            "-1s",
            "1.5s",
            "10 s",
            "99999999999999h",
            "１s",
        ] {
            assert!(duration(bad).unwrap_err().contains("200ms"), "{bad}");
        }
        for bad in ["256", "MiB", "0B", "1MB", "1mib", "99999999999GiB"] {
            assert!(size(bad).unwrap_err().contains("256MiB"), "{bad}");
        }
    }
}
