//! Random zones with right check digits.

use super::random::Random;
use anyhow::{Context, Result};
use ve_ml_mrz::text::{check_digit, Format, Kind, Lines, Symbol};

const STATES: [&str; 12] = [
    "UTO", "D<<", "FRA", "USA", "AUS", "JPN", "BRA", "ZAF", "IND", "QAT", "KWT", "GBR",
];

/// A zone of a format. Symbols are spread evenly where anything may stand, so that training sees all of them.
pub fn zone(format: Format, random: &mut Random) -> Result<Lines> {
    let layout = format.layout();
    let of = |text: &&str| {
        text.bytes()
            .filter_map(Symbol::from_ascii)
            .collect::<Vec<_>>()
    };
    let mut symbols: Vec<Symbol> = (0..layout.places())
        .map(|place| match layout.kind(place) {
            Kind::Digit => random.range(0, 9),
            Kind::Letter => random.range(10, 35),
            Kind::Sex | Kind::Any => random.range(0, 35),
        })
        .filter_map(|class| Symbol::from_class(class as usize))
        .collect();
    let mut put =
        |from: usize, text: &[Symbol]| symbols[from..from + text.len()].copy_from_slice(text);
    let code = match format {
        Format::Td3 => random.pick(&["P<", "P<", "PO", "PD"]),
        Format::MrvA | Format::MrvB => random.pick(&["V<", "VI"]),
        Format::Td1 | Format::Td2 => random.pick(&["I<", "ID", "AC", "C<"]),
    };
    put(0, &of(code));
    for at in [2, layout.nationality.start] {
        put(at, &of(random.pick(&STATES[..])));
    }
    put(layout.sex, &of(random.pick(&["F", "M", "<"][..])));
    for date in [&layout.birth, &layout.expiry] {
        let text = format!(
            "{:02}{:02}{:02}",
            random.range(0, 99),
            random.range(1, 12),
            random.range(1, 28)
        );
        put(date.start, &of(&text.as_str()));
    }
    // One or two surnames, given names, the rest fillers; some fill the field.
    let mut words = vec![];
    for separator in *random.pick(&[&["<<", "<"][..], &["<", "<<"], &["<<"], &["<<", "<", "<"]]) {
        words.push(random.range(2, 11));
        words.push(-(separator.len() as i64));
    }
    words.push(random.range(2, 11));
    let mut at = layout.name.start;
    for word in words {
        let n = word.unsigned_abs() as usize;
        if word < 0 {
            (at..(at + n).min(layout.name.end)).for_each(|i| put(i, &[Symbol::FILLER]));
        }
        at += n;
    }
    (at..layout.name.end).for_each(|i| put(i, &[Symbol::FILLER]));
    let number = random.range(6, 9) as usize;
    (layout.number.start + number..layout.number.end).for_each(|i| put(i, &[Symbol::FILLER]));
    for optional in &layout.optional {
        let used = random.range(0, optional.len() as i64) as usize;
        (optional.start + used..optional.end).for_each(|i| put(i, &[Symbol::FILLER]));
    }
    let mut checked = vec![&layout.number, &layout.birth, &layout.expiry];
    if layout.optional_check {
        checked.push(&layout.optional[0]);
    }
    let digit =
        |symbols: &[Symbol]| Symbol::from_class(usize::from(check_digit(symbols.iter().copied())));
    for field in checked {
        symbols[field.end] = digit(&symbols[field.clone()]).context("a digit")?;
    }
    if let Some((ranges, at)) = &layout.composite {
        let covered: Vec<Symbol> = ranges
            .iter()
            .flat_map(|r| symbols[r.clone()].to_vec())
            .collect();
        symbols[*at] = digit(&covered).context("a digit")?;
    }
    Lines::new(format, symbols).context("as many symbols as the format has")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ve_ml_mrz::text::Checks;

    #[test]
    fn zones_should_have_valid_check_digits_when_they_are_random() {
        for (number, format) in [
            Format::Td1,
            Format::Td2,
            Format::Td3,
            Format::MrvA,
            Format::MrvB,
        ]
        .into_iter()
        .cycle()
        .take(100)
        .enumerate()
        {
            let lines = zone(format, &mut Random::new(1, number as u64)).unwrap();
            assert!(Checks::of(&lines).all_valid(), "{lines}");
            let again = zone(format, &mut Random::new(1, number as u64)).unwrap();
            assert_eq!(lines, again);
        }
    }
}
