//! What holds for any bytes and any document.

use crate::known::{lines, ALL, TD3};
use proptest::prelude::*;
use ve_ml_mrz::text::{
    check_digit, repair, repair_guesses, Checks, Date, Document, Format, Guess, Lines, Outcome,
    Symbol,
};

const TODAY: Date = Date {
    year: 2026,
    month: 11,
    day: 26,
};

/// Everything that can be asked of lines: nothing of it may panic.
fn ask_all(lines: &Lines) {
    let document = Document::read(lines, TODAY);
    let outcome = repair(lines);
    assert_eq!(outcome.is_valid(), Checks::of(outcome.lines()).all_valid());
    let _ = (document.reasons, lines.to_string());
}

fn symbol() -> impl Strategy<Value = Symbol> {
    (0..37usize).prop_map(|class| Symbol::from_class(class).expect("a class"))
}

/// A passport with random number, dates, optional data and right check digits.
fn passport() -> impl Strategy<Value = String> {
    let digits =
        |pattern: &'static str| proptest::string::string_regex(pattern).expect("a pattern");
    let parts = (
        digits("[A-Z0-9]{9}"),
        digits("[0-9]{6}"),
        digits("[0-9]{6}"),
        digits("[A-Z0-9<]{14}"),
    );
    parts.prop_map(|(number, birth, expiry, optional)| {
        let digit = |text: &str| check_digit(text.bytes().filter_map(Symbol::from_ascii));
        let with = |text: String| format!("{text}{}", digit(&text));
        let (number, birth, expiry, optional) =
            (with(number), with(birth), with(expiry), with(optional));
        let composite = digit(&format!("{number}{birth}{expiry}{optional}"));
        format!(
            "{}{number}UTO{birth}F{expiry}{optional}{composite}\n",
            &TD3[..45]
        )
    })
}

proptest! {
    #[test]
    fn bytes_should_be_read_or_refused_when_they_are_random(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(lines) = Lines::parse(&bytes) {
            ask_all(&lines);
        }
    }

    #[test]
    fn lines_should_be_read_when_their_symbols_are_random(symbols in prop::collection::vec(symbol(), 90), cut in 0..5usize) {
        let format = [Format::Td1, Format::Td2, Format::Td3, Format::MrvA, Format::MrvB][cut];
        let places = format.layout().places();
        ask_all(&Lines::new(format, symbols[..places].to_vec()).expect("as many as the format has"));
    }

    #[test]
    fn guesses_should_be_repaired_or_refused_when_they_are_random(
        guesses in prop::collection::vec((symbol(), prop::collection::vec((symbol(), any::<u16>()), 0..4)), 80..92),
    ) {
        let guesses: Vec<_> = guesses.into_iter().map(|(symbol, others)| Guess { symbol, others }).collect();
        if let Some(outcome) = repair_guesses(Format::Td3, &guesses) {
            prop_assert_eq!(guesses.len(), 88);
            prop_assert_eq!(outcome.is_valid(), Checks::of(outcome.lines()).all_valid());
        }
    }

    #[test]
    fn specimens_should_not_panic_when_bytes_are_damaged(which in 0..ALL.len(), at in 0..90usize, with in any::<u8>()) {
        let mut bytes = ALL[which].as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = with;
        if let Ok(lines) = Lines::parse(&bytes) {
            ask_all(&lines);
        }
    }

    #[test]
    fn repair_should_restore_or_refuse_when_one_symbol_was_confused(text in passport(), at in 44..88usize, which in 0..3usize) {
        let whole = lines(&text);
        prop_assert_eq!(repair(&whole), Outcome::Valid(whole.clone(), 0));
        let mut symbols = whole.symbols().to_vec();
        let others = symbols[at].confusable();
        prop_assume!(!others.is_empty());
        symbols[at] = Symbol::from_ascii(others[which % others.len()]).expect("a symbol");
        let confused = Lines::new(whole.format(), symbols).expect("as many as before");
        match repair(&confused) {
            // A change that no check digit sees, outside of what they cover, or by a multiple of ten.
            Outcome::Valid(..) => {}
            Outcome::Repaired(repaired, changes) => {
                prop_assert_eq!(changes, 1);
                prop_assert_eq!(repaired, whole);
            }
            Outcome::Ambiguous(_) => {}
            Outcome::Broken(lines) => prop_assert!(false, "not repaired: {}", lines),
        }
    }

    #[test]
    fn check_digit_should_change_when_one_digit_changes(digits in prop::collection::vec(0..10usize, 1..60), at in any::<prop::sample::Index>(), by in 1..10usize) {
        // The weights have no factor in common with ten, so that every wrong digit is noticed.
        let symbols = |digits: &[usize]| digits.iter().filter_map(|d| Symbol::from_class(*d)).collect::<Vec<_>>();
        let mut wrong = digits.clone();
        let at = at.index(digits.len());
        wrong[at] = (wrong[at] + by) % 10;
        prop_assert_ne!(check_digit(symbols(&digits)), check_digit(symbols(&wrong)));
    }
}
