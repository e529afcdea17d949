//! Days, counted.

use ve_ml_barcode::Date;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: i64,
    month: i64,
    day: i64,
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Self::new(date.year, date.month, date.day)
    }
}

impl Day {
    /// A day that exists.
    pub fn new(year: u16, month: u8, day: u8) -> Self {
        Self {
            year: year.into(),
            month: month.into(),
            day: day.into(),
        }
    }

    /// Year, month and day.
    pub fn parts(self) -> (u16, u8, u8) {
        (self.year as u16, self.month as u8, self.day as u8)
    }

    /// The day of a time in milliseconds since 1970, in UTC.
    pub fn of(time_ms: u64) -> Self {
        // Years begin on 1 March here, so that a leap day is a year's last; 146,097 days are 400 years.
        let days = (time_ms / DAY_MS) as i64 + EPOCH;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let january = i64::from(month >= 10);
        Self {
            year: era * 400 + year + january,
            month: if month < 10 { month + 3 } else { month - 9 },
            day,
        }
    }

    /// Days since 1970-01-01.
    pub fn number(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let month = (self.month + 9) % 12;
        let of_year = (153 * month + 2) / 5 + self.day - 1;
        year * 365 + year / 4 - year / 100 + year / 400 + of_year - EPOCH
    }

    /// Completed years since a day of birth.
    pub fn years_since(self, birth: Self) -> i64 {
        let before = (self.month, self.day) < (birth.month, birth.day);
        self.year - birth.year - i64::from(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i64, month: i64, day: i64) -> Day {
        Day { year, month, day }
    }

    #[test]
    fn days_should_be_counted_when_years_leap() {
        assert_eq!(Day::of(0), day(1970, 1, 1));
        assert_eq!(Day::of(951_782_400_000), day(2000, 2, 29));
        assert_eq!(Day::of(951_868_800_000), day(2000, 3, 1));
        assert_eq!(Day::of(1_795_651_200_000), day(2026, 11, 26));
        for number in (0..40_000).step_by(13) {
            assert_eq!(Day::of(number * DAY_MS).number(), number as i64);
        }
        assert_eq!(day(1900, 3, 1).number() - day(1900, 2, 28).number(), 1);
    }

    #[test]
    fn age_should_be_completed_years_when_the_birthday_comes() {
        let birth = day(2008, 2, 29);
        assert_eq!(day(2026, 2, 28).years_since(birth), 17);
        assert_eq!(day(2026, 3, 1).years_since(birth), 18);
    }
}
