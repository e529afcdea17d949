//! Dates of two-digit years, read relative to a given day.

use super::Symbol;

/// A day. Ordered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

/// A date of which the standard lets month and day be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialDate {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: Option<u8>,
    /// Day, from 1; unknown whenever the month is.
    pub day: Option<u8>,
}

impl Date {
    /// A day of the Gregorian calendar, if there is such a day.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            _ => 0,
        };
        (1..=days)
            .contains(&day)
            .then_some(Self { year, month, day })
    }
}

impl PartialDate {
    /// The first day that it can be.
    pub fn earliest(&self) -> Date {
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        Date {
            year: self.year,
            month,
            day,
        }
    }
}

/// A date of birth: the last such day that is not after `today`, so that nobody is older than a hundred years. Month and
/// day may be fillers, which says that they are unknown (part 3, section 4.8).
pub fn birth(symbols: &[Symbol], today: Date) -> Option<PartialDate> {
    let [year, month, day] = pairs(symbols)?;
    let year = year?;
    if month.is_none() && day.is_some() {
        return None;
    }
    let century = today.year - today.year % 100;
    let in_year = |year: u16| {
        let date = PartialDate { year, month, day };
        let Date { month, day, .. } = date.earliest();
        Date::new(year, month, day).map(|first| (date, first))
    };
    let candidates = [
        Some(century + u16::from(year)),
        (century + u16::from(year)).checked_sub(100),
    ];
    let mut days = candidates.into_iter().flatten().filter_map(in_year);
    days.find(|(_, first)| *first <= today)
        .map(|(date, _)| date)
}

/// A date of expiry: in the year from 50 before to 49 after that of `today`.
pub fn expiry(symbols: &[Symbol], today: Date) -> Option<Date> {
    let [year, month, day] = pairs(symbols)?;
    let first = today.year.checked_sub(50)?;
    let ahead = (u16::from(year?) + 100 - first % 100) % 100;
    Date::new(first.checked_add(ahead)?, month?, day?)
}

/// Year, month and day; nothing where there are two fillers.
fn pairs(symbols: &[Symbol]) -> Option<[Option<u8>; 3]> {
    let [a, b, c, d, e, f] = *symbols else {
        return None;
    };
    let pair = |[tens, ones]: [Symbol; 2]| match (tens.digit(), ones.digit()) {
        (Some(tens), Some(ones)) => Some(Some(10 * tens + ones)),
        _ if tens == Symbol::FILLER && ones == Symbol::FILLER => Some(None),
        _ => None,
    };
    Some([pair([a, b])?, pair([c, d])?, pair([e, f])?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const TODAY: Date = Date {
        year: 2026,
        month: 11,
        day: 26,
    };

    fn symbols(text: &str) -> Vec<Symbol> {
        text.bytes().filter_map(Symbol::from_ascii).collect()
    }

    #[test]
    fn births_should_lie_in_the_past_when_years_have_two_digits() {
        let year = |text: &str| birth(&symbols(text), TODAY).map(|d| d.year);
        assert_eq!(year("261126"), Some(2026));
        assert_eq!(year("261127"), Some(1926));
        assert_eq!(year("740812"), Some(1974));
        // No 29 February in 2100's century mate: the only reading is the leap year.
        assert_eq!(year("000229"), Some(2000));
        assert_eq!(year("250229"), None);
        assert_eq!(year("74<<<<"), Some(1974));
        assert_eq!(year("7408<<"), Some(1974));
        assert_eq!(year("74<<12"), None);
        assert_eq!(year("7<0812"), None);
        assert_eq!(year("<<0812"), None);
        assert_eq!(year("741301"), None);
        assert_eq!(year("7408"), None);
    }

    #[test]
    fn expiries_should_lie_within_fifty_years_when_years_have_two_digits() {
        let year = |text: &str| expiry(&symbols(text), TODAY).map(|d| d.year);
        assert_eq!(year("760101"), Some(1976));
        assert_eq!(year("750101"), Some(2075));
        assert_eq!(year("120415"), Some(2012));
        assert_eq!(year("270230"), None);
        assert_eq!(year("27<<<<"), None);
        assert_eq!(expiry(&symbols("270131"), Date { year: 20, ..TODAY }), None);
    }
}
