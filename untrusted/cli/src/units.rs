//! Sizes and times as people write them: `64MiB`, `1.5s`.

use std::time::Duration;

/// Reads a number of bytes: a whole number with `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB`, `GB`, or nothing (bytes).
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("unknown unit; sizes are written like 512KiB, 64MiB, 2GiB".into()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "not a size; sizes are written like 512KiB, 64MiB, 2GiB")?;
    let bytes = number.checked_mul(factor);
    bytes.ok_or_else(|| "larger than any memory".into())
}

/// Reads a time: a number with `ms`, `s`, `m` or `h`. A unit must be there: `--timeout 5` could mean two things.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit.to_ascii_lowercase().as_str() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" => return Err("the unit is missing; times are written like 500ms, 5s, 2m".into()),
        _ => return Err("unknown unit; times are written like 500ms, 5s, 2m".into()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "not a time; times are written like 500ms, 5s, 2m")?;
    let time = Duration::try_from_secs_f64(number * seconds)
        .map_err(|_| "longer than anybody can wait")?;
    if time.is_zero() {
        return Err("a guest needs some time; leave the option out for no limit".into());
    }
    Ok(time)
}

/// Number and unit.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        assert_eq!(size("65536"), Ok(65536));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("2 gib"), Ok(2 << 30));
        assert_eq!(size("1MB"), Ok(1_000_000));
        assert_eq!(size("0"), Ok(0));
    }

    #[test]
    fn what_is_no_size_is_refused_with_an_example() {
        for text in ["", "MiB", "1.5GiB", "-1", "64M", "64 potatoes", "1e9"] {
            let message = size(text).unwrap_err();
            assert!(message.contains("64MiB"), "{text}: {message}");
        }
        assert!(size("99999999999GiB").unwrap_err().contains("larger"));
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(time("1h"), Ok(Duration::from_secs(3600)));
        assert!(time("5").unwrap_err().contains("unit is missing"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "s",
            "0s",
            "-1s",
            "5 days",
            "1..5s",
            "9e99h",
            "99999999999999999999999h",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
