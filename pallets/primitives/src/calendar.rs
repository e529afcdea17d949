//! UTC months of unix milliseconds, in integers.

use crate::{billing::Month, Moment};

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;

/// Year, month (1-12) and day (1-31) of a day number counted from 1970-01-01. The algorithm is "civil_from_days" of
/// Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms", restricted to days after the epoch.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days.saturating_add(719_468);
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = doe
        .saturating_sub(doe / 1_460)
        .saturating_add(doe / 36_524)
        .saturating_sub(doe / 146_096)
        / 365;
    let doy = doe.saturating_sub(
        yoe.saturating_mul(365)
            .saturating_add(yoe / 4)
            .saturating_sub(yoe / 100),
    );
    let mp = doy.saturating_mul(5).saturating_add(2) / 153;
    let day = doy
        .saturating_sub(mp.saturating_mul(153).saturating_add(2) / 5)
        .saturating_add(1);
    let month = if mp < 10 {
        mp.saturating_add(3)
    } else {
        mp.saturating_sub(9)
    };
    let year = yoe
        .saturating_add(era.saturating_mul(400))
        .saturating_add(u64::from(month <= 2));
    (year, month, day)
}

/// The UTC month that a moment lies in.
pub fn month_of(moment: Moment) -> Month {
    let (year, month, _) = civil(moment / DAY_MS);
    u32::try_from(
        year.saturating_mul(12)
            .saturating_add(month)
            .saturating_sub(1),
    )
    .unwrap_or(Month::MAX)
}

/// The first moment of a month.
pub fn start_of(month: Month) -> Moment {
    let (year, m) = (
        u64::from(month / 12),
        u64::from(month % 12).saturating_add(1),
    );
    // "days_from_civil" of the same paper, for the first of the month.
    let y = if m <= 2 { year.saturating_sub(1) } else { year };
    let era = y / 400;
    let yoe = y % 400;
    let mp = if m > 2 {
        m.saturating_sub(3)
    } else {
        m.saturating_add(9)
    };
    let doy = mp.saturating_mul(153).saturating_add(2) / 5;
    let doe = yoe
        .saturating_mul(365)
        .saturating_add(yoe / 4)
        .saturating_sub(yoe / 100)
        .saturating_add(doy);
    era.saturating_mul(146_097)
        .saturating_add(doe)
        .saturating_sub(719_468)
        .saturating_mul(DAY_MS)
}

/// The first moment after a month.
pub fn end_of(month: Month) -> Moment {
    start_of(month.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn month_of_should_match_known_dates() {
        assert_eq!(month_of(0), 1970 * 12);
        assert_eq!(month_of(1_795_392_000_000), 2026 * 12 + 10);
        assert_eq!(start_of(2026 * 12 + 10), 1_793_491_200_000); // 2026-11-01
        assert_eq!(
            start_of(2028 * 12 + 2) - start_of(2028 * 12 + 1),
            29 * DAY_MS
        ); // leap year
    }

    #[test]
    fn every_month_should_contain_its_edges_for_three_centuries() {
        for month in 1970 * 12..2270 * 12 {
            assert_eq!(month_of(start_of(month)), month);
            assert_eq!(month_of(end_of(month) - 1), month);
            assert!((28..=31).contains(&((end_of(month) - start_of(month)) / DAY_MS)));
        }
    }
}
