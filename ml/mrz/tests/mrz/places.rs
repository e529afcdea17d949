//! What stands where and which check digit covers it, written out for every format and tried at every place.

use crate::known::{lines, MRV_A, MRV_B, TD1, TD2, TD3};
use ve_ml_mrz::text::{repair_guesses, Check, Checks, Format, Guess, Kind, Lines, Outcome, Symbol};

/// A passport whose composite check digit is not 0: the specimen of the standard's older editions.
const TD3_OLDER: &str =
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C<3UTO6908061F9406236ZE184226B<<<<<14\n";
/// A card with optional data in both places.
const TD1_FULL: &str =
    "I<UTOD231458907ABC123<<<<<<<<<\n7408122F1204159UTOXYZ<987<<<<9\nERIKSSON<<ANNA<MARIA<<<<<<<<<<\n";

/// A specimen; for every place what may stand there (Letter, Digit, Sex, Any); and which check digits cover it: of the
/// number, of birth, of expiry, of the optional data, and from small letters on the composite one too (`c`: it alone).
const PLACES: [(&str, &str, &str); 7] = [
    (
        TD1,
        "LLLLLAAAAAAAAADAAAAAAAAAAAAAAADDDDDDDSDDDDDDDLLLAAAAAAAAAAADLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL",
        ".....nnnnnnnnnncccccccccccccccbbbbbbb.eeeeeee...cccccccccccc..............................",
    ),
    (
        TD1_FULL,
        "LLLLLAAAAAAAAADAAAAAAAAAAAAAAADDDDDDDSDDDDDDDLLLAAAAAAAAAAADLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL",
        ".....nnnnnnnnnncccccccccccccccbbbbbbb.eeeeeee...cccccccccccc..............................",
    ),
    (
        TD2,
        "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLAAAAAAAAADLLLDDDDDDDSDDDDDDDAAAAAAAD",
        "....................................nnnnnnnnnn...bbbbbbb.eeeeeeecccccccc",
    ),
    (
        TD3,
        "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLAAAAAAAAADLLLDDDDDDDSDDDDDDDAAAAAAAAAAAAAADD",
        "............................................nnnnnnnnnn...bbbbbbb.eeeeeeeoooooooooooooooc",
    ),
    (
        TD3_OLDER,
        "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLAAAAAAAAADLLLDDDDDDDSDDDDDDDAAAAAAAAAAAAAADD",
        "............................................nnnnnnnnnn...bbbbbbb.eeeeeeeoooooooooooooooc",
    ),
    (
        MRV_A,
        "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLAAAAAAAAADLLLDDDDDDDSDDDDDDDAAAAAAAAAAAAAAAA",
        "............................................NNNNNNNNNN...BBBBBBB.EEEEEEE................",
    ),
    (
        MRV_B,
        "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLAAAAAAAAADLLLDDDDDDDSDDDDDDDAAAAAAAA",
        "....................................NNNNNNNNNN...BBBBBBB.EEEEEEE........",
    ),
];

fn symbol(ascii: u8) -> Symbol {
    Symbol::from_ascii(ascii).expect("a symbol")
}

/// A symbol of the same kind whose value in a check digit is another one.
fn other(of: Symbol) -> Symbol {
    match of.ascii() {
        b'<' => symbol(b'1'),
        b'9' | b'Z' => Symbol::from_class(of.class() - 1).expect("a symbol"),
        _ => Symbol::from_class(of.class() + 1).expect("a symbol"),
    }
}

/// The text with another symbol in one place.
fn changed(whole: &Lines, place: usize) -> Lines {
    let mut symbols = whole.symbols().to_vec();
    symbols[place] = other(symbols[place]);
    Lines::new(whole.format(), symbols).expect("as many as before")
}

#[test]
fn places_should_take_what_the_standard_says_when_they_are_asked() {
    for (text, kinds, _) in PLACES {
        let layout = lines(text).format().layout();
        assert_eq!(kinds.len(), layout.places());
        for (place, kind) in kinds.chars().enumerate() {
            let expected = match kind {
                'L' => Kind::Letter,
                'D' => Kind::Digit,
                'S' => Kind::Sex,
                _ => Kind::Any,
            };
            assert_eq!(layout.kind(place), expected, "{text}{place}");
        }
    }
    for symbol in (0..37).filter_map(Symbol::from_class) {
        let ascii = symbol.ascii();
        let is = (ascii.is_ascii_digit(), ascii.is_ascii_uppercase());
        assert_eq!((symbol.digit().is_some(), symbol.is_letter()), is);
        assert_eq!(symbol.digit(), is.0.then(|| ascii - b'0'));
        let filler = ascii == b'<';
        assert_eq!(Kind::Letter.allows(symbol), is.1 || filler);
        assert_eq!(Kind::Digit.allows(symbol), is.0 || filler);
        assert_eq!(Kind::Sex.allows(symbol), b"FMX<".contains(&ascii));
        assert!(Kind::Any.allows(symbol));
    }
}

#[test]
fn check_digits_should_notice_what_they_cover_when_one_symbol_is_another() {
    for (text, _, covered) in PLACES {
        let whole = lines(text);
        let valid = Checks::of(&whole);
        assert!(valid.all_valid(), "{text}");
        let exists = |check| usize::from(check != Check::Absent);
        let some = 3 + exists(valid.optional) + exists(valid.composite);
        assert_eq!(valid.valid(), some, "{text}");
        for (place, by) in covered.chars().enumerate() {
            let broken = |own: char, check: Check| match check {
                Check::Valid if by.to_ascii_lowercase() == own => Check::Broken,
                check => check,
            };
            let expected = Checks {
                number: broken('n', valid.number),
                birth: broken('b', valid.birth),
                expiry: broken('e', valid.expiry),
                optional: broken('o', valid.optional),
                composite: match valid.composite {
                    Check::Valid if by.is_ascii_lowercase() => Check::Broken,
                    check => check,
                },
            };
            let found = Checks::of(&changed(&whole, place));
            assert_eq!(found, expected, "{text}{place}");
            assert_eq!(found.all_valid(), by == '.', "{text}{place}");
        }
    }
}

#[test]
fn repair_should_restore_what_check_digits_cover_when_the_reader_doubted_it() {
    for (text, _, covered) in PLACES {
        let whole = lines(text);
        for (place, by) in covered.chars().enumerate() {
            let wrong = changed(&whole, place);
            let guesses = wrong.symbols().iter().zip(whole.symbols());
            let guesses: Vec<_> = guesses
                .map(|(symbol, right)| Guess {
                    symbol: *symbol,
                    others: (symbol != right)
                        .then_some((*right, 5))
                        .into_iter()
                        .collect(),
                })
                .collect();
            let kind = whole.format().layout().kind(place);
            let expected = match by {
                // Brought to what may stand there.
                '.' if !kind.allows(guesses[place].symbol) => Outcome::Valid(whole.clone(), 1),
                // Nothing says that it is wrong.
                '.' => Outcome::Valid(wrong, 0),
                _ if !kind.allows(guesses[place].symbol) => Outcome::Valid(whole.clone(), 1),
                _ => Outcome::Repaired(whole.clone(), 1),
            };
            let found = repair_guesses(whole.format(), &guesses);
            assert_eq!(found, Some(expected), "{text}{place}");
        }
    }
}

#[test]
fn optional_data_should_need_no_check_digit_when_there_are_none() {
    let check = |optional: &str, composite: u8| {
        let text = TD3.replace("ZE184226B<<<<<10", &format!("{optional}{composite}"));
        Checks::of(&lines(&text)).optional
    };
    for composite in 0..10 {
        assert_eq!(check("<<<<<<<<<<<<<<<", composite), Check::Valid);
        assert_eq!(check("<<<<<<<<<<<<<<0", composite), Check::Valid);
        assert_eq!(check("ZE184226B<<<<<<", composite), Check::Broken);
    }
}

#[test]
fn number_should_not_go_on_when_the_format_has_no_long_ones() {
    // On a card a filler in the place of the check digit would mean that it follows in the optional data.
    let text = TD3.replace("L898902C36", "L898902C3<");
    let text = text.replace("ZE184226B", "6<<<<<<<<");
    assert_eq!(Checks::of(&lines(&text)).number, Check::Broken);
    let card = TD2.replace("D231458907", "D23145890<");
    let card = card.replace("9<<<<<<<6", "97<<<<<<6");
    assert_eq!(lines(&card).format(), Format::Td2);
    assert_eq!(Checks::of(&lines(&card)).number, Check::Valid);
}
