//! Who can open an envelope, and where.

use super::*;
use std::str::FromStr;

#[test]
fn envelope_should_open_for_each_recipient_when_there_are_sixteen_and_thirty_two() {
    for count in [1usize, 16, 32] {
        let keys: Vec<_> = (0..count).map(|_| key()).collect();
        let publics: Vec<_> = keys.iter().map(SecretKey::public).collect();
        let (header, body) = seal(b"for all of you", &publics, &binding()).unwrap();
        assert!(header.is_well_formed());
        assert_eq!(header.recipients.len(), count);
        for key in &keys {
            assert_eq!(
                open(&header, &body, key, &binding()).unwrap(),
                b"for all of you"
            );
        }
        assert!(matches!(
            open(&header, &body, &key(), &binding()),
            Err(Error::NotARecipient(_))
        ));
    }
}

#[test]
fn seal_should_refuse_when_there_are_no_or_too_many_recipients() {
    assert!(matches!(
        seal(b"", &[], &binding()),
        Err(Error::NoRecipients)
    ));
    let publics: Vec<_> = (0..33).map(|_| key().public()).collect();
    assert!(matches!(
        seal(b"", &publics, &binding()),
        Err(Error::TooManyRecipients(33))
    ));
}

#[test]
fn seal_should_count_a_key_once_when_it_is_named_twice() {
    let key = key();
    let (header, _) = seal(b"", &[key.public(), key.public()], &binding()).unwrap();
    assert_eq!(header.recipients.len(), 1);
}

#[test]
fn envelope_should_not_open_when_any_part_of_its_binding_differs() {
    let key = key();
    let right = Binding::log([1; 32], 42, 3);
    let (header, body) = seal(b"log", &[key.public()], &right).unwrap();
    let wrong = [
        Binding::log([2; 32], 42, 3),
        Binding::log([1; 32], 43, 3),
        Binding::log([1; 32], 42, 4),
        Binding::result([1; 32], 42),
        Binding::new([1; 32], "hpc/log", &42u64.to_be_bytes(), 3),
        Binding::new([1; 32], "hpc/lo", b"g", 3),
    ];
    for binding in wrong {
        assert!(
            matches!(open(&header, &body, &key, &binding), Err(Error::Unwrap)),
            "{binding:?}"
        );
    }
    assert_eq!(open(&header, &body, &key, &right).unwrap(), b"log");
}

#[test]
fn body_should_not_open_when_it_was_moved_to_another_item_under_the_same_key() {
    let here = Binding::input([1; 32], &CUSTOMER, 0);
    let (key, _, body) = seal_with_key(b"input", &here).unwrap();
    assert_eq!(open_with_key(&key, &body, &here).unwrap().0, b"input");
    let there = Binding::input([1; 32], &CUSTOMER, 1);
    assert!(matches!(
        open_with_key(&key, &body, &there),
        Err(Error::Tampered(0))
    ));
}

#[test]
fn rewrap_should_let_others_in_when_a_recipient_does_it() {
    let (alice, bob, eve) = (key(), key(), key());
    let (header, body) = seal(b"evidence", &[alice.public()], &binding()).unwrap();
    let wider = rewrap(&header, &alice, &[bob.public(), alice.public()], &binding()).unwrap();
    assert!(wider.is_well_formed());
    assert_eq!(
        (wider.hash, wider.length, wider.recipients.len()),
        (header.hash, header.length, 2)
    );
    for key in [&alice, &bob] {
        assert_eq!(open(&wider, &body, key, &binding()).unwrap(), b"evidence");
    }
    assert!(matches!(
        rewrap(&header, &eve, &[eve.public()], &binding()),
        Err(Error::NotARecipient(_))
    ));
}

#[test]
fn recipients_should_see_one_plaintext_when_a_sender_wraps_different_keys() {
    // A sender that gives Bob another key cannot make him see another text: he sees that it is the wrong key.
    let (alice, bob) = (key(), key());
    let (header, body) = seal(b"ten", &[alice.public(), bob.public()], &binding()).unwrap();
    let (other, _) = seal(b"two", &[bob.public()], &binding()).unwrap();
    let mut mixed = header.clone();
    for recipient in mixed
        .recipients
        .iter_mut()
        .filter(|r| r.key == bob.public().key_id())
    {
        *recipient = other.recipients[0].clone();
    }
    assert_eq!(open(&mixed, &body, &alice, &binding()).unwrap(), b"ten");
    assert!(matches!(
        open(&mixed, &body, &bob, &binding()),
        Err(Error::WrongContentKey)
    ));
}

#[test]
fn header_should_be_refused_when_its_version_is_unknown_or_its_recipients_are_unsorted() {
    let keys = [key(), key()];
    let publics = keys.each_ref().map(SecretKey::public);
    let (header, body) = seal(b"x", &publics, &binding()).unwrap();
    let newer = EnvelopeHeader {
        version: 2,
        ..header.clone()
    };
    assert!(open(&newer, &body, &keys[0], &binding())
        .unwrap_err()
        .to_string()
        .contains("update it"));
    let mut unsorted = header;
    unsorted.recipients.as_mut().reverse();
    assert!(matches!(
        open(&unsorted, &body, &keys[0], &binding()),
        Err(Error::Malformed(_))
    ));
}

#[test]
fn keys_should_come_back_when_written_as_text_and_bytes() {
    let secret = key();
    assert_eq!(
        SecretKey::from_bytes(*secret.to_bytes()).public(),
        secret.public()
    );
    assert_eq!(
        PublicKey::from_str(&secret.public().to_string()).unwrap(),
        secret.public()
    );
    let text = hex::encode(secret.to_bytes().as_slice());
    assert_eq!(
        SecretKey::from_str(&text).unwrap().public(),
        secret.public()
    );
    for bad in ["", "0x12", "zz", &text[1..]] {
        assert!(
            matches!(SecretKey::from_str(bad), Err(Error::BadKeyText)),
            "{bad}"
        );
    }
    assert!(!format!("{secret:?}").contains(&text), "a secret was shown");
}

#[test]
fn frame_should_come_back_when_whole_and_be_refused_when_cut() {
    let key = key();
    let (header, body) = seal(b"chunk", &[key.public()], &binding()).unwrap();
    let framed = frame::to_bytes(&header, &body);
    let (again, rest) = frame::from_bytes(&framed).unwrap();
    assert_eq!((&again, rest), (&header, body.as_slice()));
    let head = framed.len() - body.len();
    for cut in [0, 3, 4, head / 2, head - 1] {
        assert!(
            matches!(frame::from_bytes(&framed[..cut]), Err(Error::Truncated)),
            "{cut}"
        );
    }
    assert!(matches!(
        frame::from_bytes(&[255; 64]),
        Err(Error::Malformed(_))
    ));
}
