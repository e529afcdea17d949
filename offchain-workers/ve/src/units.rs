//! Times and sizes as people write them.

use std::time::Duration;

/// A wall time: `90s`, `10m`, `2h`, `1d`, `1h30m`. A bare number is refused: it would be a guess.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time; write it like 90s, 10m, 2h, 1h30m or 1d");
    let mut seconds = 0u64;
    let mut digits = String::new();
    let mut last = u64::MAX;
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        // Units descend, each once: 1h30m, not 30m1h.
        if unit >= last {
            return Err(wrong());
        }
        last = unit;
        digits.clear();
        seconds = count
            .checked_mul(unit)
            .and_then(|s| seconds.checked_add(s))
            .ok_or_else(|| format!("{text:?} is too long"))?;
    }
    if !digits.is_empty() || last == u64::MAX {
        return Err(wrong());
    }
    if seconds == 0 {
        return Err(format!("{text:?} is no time at all; ask for at least 1s"));
    }
    Ok(Duration::from_secs(seconds))
}

/// What [`parse_duration`] reads, in its shortest form.
pub fn duration(seconds: u64) -> String {
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, name) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// Memory in MiB: `512MiB`, `2GiB`, `1TiB`; `M`, `G` and `T` for short.
pub fn parse_mib(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size; write it like 512MiB or 2GiB");
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (digits, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "M" | "MiB" => 1,
        "G" | "GiB" => 1 << 10,
        "T" | "TiB" => 1 << 20,
        _ => return Err(wrong()),
    };
    let mib = digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .ok_or_else(wrong)?;
    if mib == 0 {
        return Err(format!(
            "{text:?} is no memory at all; ask for at least 1MiB"
        ));
    }
    Ok(mib)
}

/// A number of MiB, shortest.
pub fn mib(mib: u64) -> String {
    match mib {
        m if m > 0 && m % (1 << 20) == 0 => format!("{} TiB", m >> 20),
        m if m > 0 && m % (1 << 10) == 0 => format!("{} GiB", m >> 10),
        m => format!("{m} MiB"),
    }
}

/// A number of bytes, to three digits.
pub fn bytes(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match value {
        v if unit == "B" || v >= 99.95 => format!("{v:.0} {unit}"),
        v => format!("{v:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_should_be_read_when_written_as_people_do() {
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("2h", 7200),
            ("1d", 86_400),
            ("1h30m", 5400),
            ("1d2h3m4s", 93_784),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
            if seconds != 90 {
                assert_eq!(duration(seconds), text);
            }
        }
        assert_eq!(duration(0), "0s");
    }

    #[test]
    fn time_should_be_refused_when_it_is_none() {
        for text in [
            "",
            "10",
            "m",
            "10x",
            "30m1h",
            "1m1m",
            "-5m",
            "0s",
            "99999999999999999999d",
            "300000000000000000h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn size_should_be_read_when_written_as_people_do() {
        for (text, size) in [
            ("512MiB", 512),
            ("2GiB", 2048),
            ("1T", 1 << 20),
            ("3 G", 3072),
        ] {
            assert_eq!(parse_mib(text), Ok(size));
        }
        for text in ["", "512", "GiB", "1KB", "1.5GiB", "0MiB", "-1MiB"] {
            assert!(parse_mib(text).is_err(), "{text}");
        }
        assert_eq!(
            (mib(512).as_str(), mib(2048).as_str(), mib(1 << 20).as_str()),
            ("512 MiB", "2 GiB", "1 TiB")
        );
        assert_eq!(
            (
                bytes(0).as_str(),
                bytes(1536).as_str(),
                bytes(300 << 20).as_str()
            ),
            ("0 B", "1.5 KiB", "300 MiB")
        );
    }
}
