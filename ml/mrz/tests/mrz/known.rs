//! Documents that are known: the specimens of ICAO Doc 9303, and what becomes of them when one thing is wrong.

use ve_ml_mrz::text::{
    check_digit, repair, Check, Date, Document, Format, Lines, NotAZone, Outcome, Reason, Sex,
    Symbol,
};

pub const TD1: &str = "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<\n";
pub const TD1_LONG: &str =
    "I<UTOD23145890<7349<<<<<<<<<<<\n3407127M9507122UTO<<<<<<<<<<<2\nSTEVENSON<<PETER<JOHN<<<<<<<<<\n";
pub const TD2: &str =
    "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6\n";
pub const TD3: &str =
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10\n";
pub const MRV_A: &str =
    "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL8988901C4XXX4009078F96121096ZE184226B<<<<<<\n";
pub const MRV_B: &str =
    "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nL8988901C4XXX4009078F9612109<<<<<<<<\n";
pub const ALL: [&str; 6] = [TD1, TD1_LONG, TD2, TD3, MRV_A, MRV_B];

/// A day on which all specimens have expired, and one on which the newer ones are valid.
const LATE: Date = Date {
    year: 2026,
    month: 11,
    day: 26,
};
const EARLY: Date = Date {
    year: 2010,
    month: 1,
    day: 1,
};

pub fn lines(text: &str) -> Lines {
    Lines::parse(text.as_bytes()).expect("a zone")
}

fn read(text: &str, today: Date) -> Document {
    Document::read(&lines(text), today)
}

#[test]
fn specimens_should_be_read_when_they_are_the_standards() {
    for (text, format, number, optional) in [
        (TD1, Format::Td1, "D23145890", ""),
        (TD2, Format::Td2, "D23145890", ""),
        (TD3, Format::Td3, "L898902C3", "ZE184226B"),
        (MRV_A, Format::MrvA, "L8988901C", "6ZE184226B"),
        (MRV_B, Format::MrvB, "L8988901C", ""),
    ] {
        let document = read(text, LATE);
        assert_eq!(document.format, format);
        assert_eq!(document.number, number);
        assert_eq!(document.optional, optional);
        assert_eq!(document.issuer, "UTO");
        assert_eq!(
            (
                document.name.primary.as_str(),
                document.name.secondary.as_str()
            ),
            ("ERIKSSON", "ANNA MARIA")
        );
        assert!(!document.name.cut);
        assert_eq!(document.sex, Some(Sex::Female));
        assert!(
            document.checks.all_valid(),
            "{format:?} {:?}",
            document.checks
        );
        assert_eq!(document.reasons, [Reason::Expired], "{format:?}");
        assert_eq!(lines(text).to_string(), text);
        assert_eq!(repair(&lines(text)), Outcome::Valid(lines(text), 0));
    }
}

#[test]
fn fields_should_be_those_of_the_passport_when_it_is_the_specimen() {
    let document = read(TD3, EARLY);
    assert_eq!(document.code, "P");
    assert_eq!(document.nationality, "UTO");
    assert_eq!(document.birth.map(|b| b.earliest()), Date::new(1974, 8, 12));
    assert_eq!(document.expiry, Date::new(2012, 4, 15));
    assert_eq!(document.checks.optional, Check::Valid);
    assert_eq!(document.reasons, []);
}

#[test]
fn numbers_should_go_on_in_the_optional_data_when_they_are_long() {
    let document = read(TD1_LONG, EARLY);
    assert_eq!(document.number, "D23145890734");
    assert_eq!(document.optional, "");
    assert!(document.checks.all_valid(), "{:?}", document.checks);
    assert_eq!(document.sex, Some(Sex::Male));
    // The number's last digit changed: its own check digit and the composite one notice.
    let document = read(&TD1_LONG.replace("7349", "7359"), EARLY);
    assert_eq!(document.checks.number, Check::Broken);
    assert_eq!(document.checks.composite, Check::Broken);
}

#[test]
fn reasons_should_name_what_is_wrong_when_one_thing_is() {
    let cases: [(&str, &str, &[Reason]); 11] = [
        (
            "L898902C36",
            "L898902C37",
            &[Reason::NumberCheck, Reason::CompositeCheck],
        ),
        (
            "7408122",
            "7408123",
            &[Reason::BirthCheck, Reason::CompositeCheck],
        ),
        (
            "1204159",
            "1204158",
            &[Reason::ExpiryCheck, Reason::CompositeCheck],
        ),
        (
            "<<<<<10",
            "<<<<<20",
            &[Reason::OptionalCheck, Reason::CompositeCheck],
        ),
        ("<<<<<10", "<<<<<11", &[Reason::CompositeCheck]),
        (
            "7408122",
            "7413122",
            &[
                Reason::BirthCheck,
                Reason::CompositeCheck,
                Reason::BirthDate,
            ],
        ),
        ("P<UTO", "P<UTA", &[Reason::Issuer]),
        ("6UTO", "6UTA", &[Reason::Nationality]),
        ("P<UTO", "X<UTO", &[Reason::Code]),
        ("2F12", "2G12", &[Reason::Sex]),
        (
            "ERIKSSON<<ANNA<MARIA",
            "<<<<<<<<<<<<<<<<<<<<",
            &[Reason::Name],
        ),
    ];
    for (from, to, expected) in cases {
        let text = TD3.replace(from, to);
        assert_ne!(text, TD3);
        assert_eq!(read(&text, EARLY).reasons, expected, "{from} {to}");
    }
    assert_eq!(read(TD3, Date::new(2012, 4, 15).unwrap()).reasons, []);
    assert_eq!(
        read(TD3, Date::new(2012, 4, 16).unwrap()).reasons,
        [Reason::Expired]
    );
    for reason in [Reason::NumberCheck, Reason::Name] {
        assert!(!reason.to_string().is_empty());
    }
    assert_eq!((Reason::NumberCheck.code(), Reason::Name.code()), (1, 14));
}

#[test]
fn names_should_be_split_when_fillers_say_so() {
    let name = |field: &str| {
        let text = TD3.replace("ERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", field);
        let name = read(&text, EARLY).name;
        (name.primary, name.secondary, name.cut)
    };
    let of =
        |primary: &str, secondary: &str, cut| (primary.to_string(), secondary.to_string(), cut);
    assert_eq!(
        name("VAN<DER<MUELLEN<<CLAUDIA<<<<<<<<<<<<<<<"),
        of("VAN DER MUELLEN", "CLAUDIA", false)
    );
    assert_eq!(
        name("ARKFREITH<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"),
        of("ARKFREITH", "", false)
    );
    assert_eq!(
        name("NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K"),
        of("NILAVADHANANANDA", "CHAYAPA DEJTHAMRONG K", true)
    );
}

#[test]
fn text_should_be_refused_when_it_is_no_zone() {
    let refused = |text: &str| Lines::parse(text.as_bytes()).expect_err("refused");
    assert_eq!(
        refused(""),
        NotAZone::Size {
            lines: 1,
            columns: 0
        }
    );
    assert_eq!(
        refused(&TD3[..44]),
        NotAZone::Size {
            lines: 1,
            columns: 44
        }
    );
    assert_eq!(
        refused(&TD3[..80]),
        NotAZone::Size {
            lines: 2,
            columns: 35
        }
    );
    assert_eq!(
        refused(&TD3.replace('L', "l")),
        NotAZone::Character { line: 1, column: 0 }
    );
    assert!(refused("x").to_string().contains("30"));
    assert!(Lines::parse(TD3.replace('\n', "\r\n").as_bytes()).is_ok());
}

#[test]
fn repair_should_restore_the_specimen_when_a_reader_confused_symbols() {
    for (from, to, changes) in [
        // A letter where only a digit may stand costs nothing to repair.
        ("7408122", "74O8I22", 2),
        // A digit of the number, found by two check digits.
        ("L898902C3", "L8989O2C3", 1),
        ("ERIKSSON", "ER1KSS0N", 2),
    ] {
        let outcome = repair(&lines(&TD3.replace(from, to)));
        let (Outcome::Valid(repaired, n) | Outcome::Repaired(repaired, n)) = &outcome else {
            panic!("{from} {to}: {outcome:?}")
        };
        assert_eq!(
            (repaired.to_string(), *n),
            (TD3.to_string(), changes),
            "{from} {to}"
        );
    }
}

#[test]
fn repair_should_refuse_when_the_error_is_not_a_confusion() {
    // A wrong check digit that no reader's confusion explains: this is what a forged document looks like.
    let forged = lines(&TD3.replace("L898902C36", "L898902C37"));
    assert!(!repair(&forged).is_valid(), "{:?}", repair(&forged));
    let forged = lines(&TD3.replace("7408122", "7508122"));
    assert!(!repair(&forged).is_valid(), "{:?}", repair(&forged));
    assert_eq!(repair(&forged).lines(), &forged);
}

#[test]
fn repair_should_refuse_when_two_repairs_are_equally_likely() {
    // Places of the same weight: making either O the digit 0 satisfies the check digit, and a visa has no other.
    let number = |text: &str| {
        text.bytes()
            .filter_map(Symbol::from_ascii)
            .collect::<Vec<_>>()
    };
    let digit = check_digit(number("012O45678"));
    assert_eq!(digit, check_digit(number("O12045678")));
    let text = MRV_B.replace("L8988901C4", &format!("O12O45678{digit}"));
    let outcome = repair(&lines(&text));
    assert_eq!(outcome, Outcome::Ambiguous(lines(&text)));
    assert!(!outcome.is_valid());
}
