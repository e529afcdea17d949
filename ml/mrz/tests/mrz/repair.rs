//! Which repairs are made: the smallest, the likeliest, and none where that is a guess.

use crate::known::{lines, MRV_B, TD3};
use ve_ml_mrz::text::{
    repair, repair_guesses, Format, Guess, Lines, Outcome, Symbol, MAX_CHANGES, MAX_OPEN,
};

fn symbol(ascii: char) -> Symbol {
    Symbol::from_ascii(ascii as u8).expect("a symbol")
}

/// A reader that doubts nothing.
fn sure(text: &str) -> (Format, Vec<Guess>) {
    let lines = lines(text);
    let guess = |symbol: &Symbol| Guess {
        symbol: *symbol,
        others: Vec::new(),
    };
    (lines.format(), lines.symbols().iter().map(guess).collect())
}

/// A place of a visa's number (0 to 8, then its check digit), what it was read as, and other readings with their costs.
type Read<'a> = (usize, char, &'a [(char, u16)]);

/// What becomes of a visa that was read with these symbols.
fn visa(read: &[Read<'_>]) -> Outcome {
    let (format, mut guesses) = sure(MRV_B);
    for (place, read, others) in read {
        let guess = &mut guesses[36 + place];
        guess.symbol = symbol(*read);
        guess.others = others.iter().map(|(o, cost)| (symbol(*o), *cost)).collect();
    }
    repair_guesses(format, &guesses).expect("as many as there are places")
}

/// The visa, with another number and its check digit.
fn with(number: &str) -> Lines {
    lines(&MRV_B.replace("L8988901C4", number))
}

#[test]
fn repair_should_take_the_likelier_reading_when_it_is_twice_as_likely() {
    // Both differ from what was read, L8989901C4, in one place.
    let valid = ["L8988901C4", "L8989601C4"];
    for number in valid {
        assert!(repair(&with(number)).is_valid(), "{number}");
    }
    let of =
        |first: u16, second: u16| visa(&[(4, '9', &[('8', first)]), (5, '9', &[('6', second)])]);
    let first = Outcome::Repaired(with(valid[0]), 1);
    let second = Outcome::Repaired(with(valid[1]), 1);
    let neither = Outcome::Ambiguous(with("L8989901C4"));
    for (costs, expected) in [
        ((1, 2), &first),
        ((10, 20), &first),
        ((10, 19), &neither),
        ((10, 10), &neither),
        ((19, 10), &neither),
        ((20, 10), &second),
        // Nothing is twice as much as nothing.
        ((0, 0), &neither),
        ((0, 1), &first),
    ] {
        assert_eq!(&of(costs.0, costs.1), expected, "{costs:?}");
    }
}

#[test]
fn repair_should_change_two_symbols_when_one_is_not_enough_and_never_three() {
    assert_eq!(MAX_CHANGES, 2);
    let (one, two, three) = (
        (0, 'M', &[('L', 3)][..]),
        (1, '6', &[('8', 3)][..]),
        (2, '7', &[('9', 3)][..]),
    );
    let whole = lines(MRV_B);
    assert_eq!(visa(&[one]), Outcome::Repaired(whole.clone(), 1));
    assert_eq!(visa(&[one, two]), Outcome::Repaired(whole.clone(), 2));
    assert_eq!(visa(&[two, three]), Outcome::Repaired(whole.clone(), 2));
    // The third repair is not tried, and no two of the three are enough.
    let broken = with("M6788901C4");
    assert_eq!(visa(&[one, two, three]), Outcome::Broken(broken));
    // A letter in the place of the check digit is no change of the search, but one of the result.
    let forced = (9, 'A', &[('4', 3)][..]);
    assert_eq!(visa(&[forced]), Outcome::Valid(whole.clone(), 1));
    assert_eq!(visa(&[one, forced]), Outcome::Repaired(whole, 2));
}

#[test]
fn repair_should_leave_out_what_may_not_stand_there_when_it_would_fit() {
    // The second digit of the year of birth: 4 is right, and O counts 24.
    let (format, mut guesses) = sure(&TD3.replace("7408122", "7508122"));
    guesses[44 + 14].others = vec![(symbol('O'), 1), (symbol('4'), 100)];
    let whole = lines(TD3);
    let found = repair_guesses(format, &guesses);
    assert_eq!(found, Some(Outcome::Repaired(whole, 1)));
}

#[test]
fn repair_should_try_the_likeliest_readings_only_when_there_are_many() {
    assert_eq!(MAX_OPEN, 64);
    // One reading that fits, and many likelier ones of other places that do not.
    let is_repaired = |places: &mut dyn Iterator<Item = usize>, readings: &str, many: usize| {
        let (format, mut guesses) = sure(&MRV_B.replace("L8988901C4", "M8988901C4"));
        guesses[36].others = vec![(symbol('L'), 9)];
        let each = places.flat_map(|place| readings.chars().map(move |s| (place, symbol(s))));
        let read: Vec<_> = guesses.iter().map(|guess| guess.symbol).collect();
        let others: Vec<_> = each
            .filter(|(place, s)| read[*place] != *s)
            .take(many)
            .collect();
        assert_eq!(others.len(), many);
        for (place, s) in others {
            guesses[place].others.push((s, 1));
        }
        repair_guesses(format, &guesses).map(|outcome| outcome.is_valid())
    };
    let dates = || (49..56).chain(57..64);
    assert_eq!(is_repaired(&mut dates(), "0123456789", 63), Some(true));
    assert_eq!(is_repaired(&mut dates(), "0123456789", 64), Some(false));
    // Places that no check digit covers do not count.
    assert_eq!(is_repaired(&mut (5..36), "ABC", 80), Some(true));
}
