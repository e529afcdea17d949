//! Which public keys are refused.

use super::*;
use proptest::prelude::*;
use x25519_dalek::x25519;

/// The field prime plus an offset of at most 18, little-endian.
fn prime_plus(offset: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed + offset;
    bytes[31] = 0x7f;
    bytes
}

fn small(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = value;
    bytes
}

fn minus_one() -> [u8; 32] {
    let mut bytes = prime_plus(0);
    bytes[0] -= 1;
    bytes
}

fn order_8() -> [[u8; 32]; 2] {
    let decode = |text: &str| {
        let mut bytes = [0u8; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap();
        }
        bytes
    };
    [
        decode("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        decode("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ]
}

#[test]
fn register_key_should_refuse_when_the_point_is_of_low_order() {
    let mut points = vec![small(0), small(1), minus_one()];
    points.extend(order_8());
    for point in points {
        // Another implementation says so: every secret shared with such a point is zero.
        for secret in [[7; 32], [0x42; 32], [0xfe; 32]] {
            assert_eq!(x25519(secret, point), [0; 32]);
        }
        run(|| {
            assert_noop!(
                Keyring::register_key(signed(ALICE), point, label()),
                Error::<Test>::UnsoundKey
            );
        });
    }
}

#[test]
fn register_key_should_refuse_when_the_encoding_is_not_canonical() {
    for offset in 0..=18 {
        // The same point as the small number, under another name.
        assert_eq!(
            x25519([7; 32], prime_plus(offset)),
            x25519([7; 32], small(offset))
        );
        assert!(!is_sound(&prime_plus(offset)));
    }
    for mut public in [
        public(1),
        public(2),
        small(9),
        minus_one(),
        order_8()[0],
        order_8()[1],
    ] {
        public[31] |= 0x80;
        assert!(!is_sound(&public));
    }
    run(|| {
        let mut again = public(1);
        register(ALICE, 1);
        again[31] |= 0x80;
        assert_noop!(
            Keyring::register_key(signed(BOB), again, label()),
            Error::<Test>::UnsoundKey
        );
    });
}

#[test]
fn register_key_should_accept_when_next_to_what_is_refused() {
    assert!(is_sound(&small(2)));
    assert!(is_sound(&x25519_dalek::X25519_BASEPOINT_BYTES));
    let mut minus_two = minus_one();
    minus_two[0] -= 1;
    assert!(is_sound(&minus_two));
    let mut next = order_8()[0];
    next[0] += 1;
    assert!(is_sound(&next));
}

proptest! {
    #[test]
    fn every_generated_key_should_be_sound(secret in any::<[u8; 32]>()) {
        prop_assert!(is_sound(&x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES)));
    }

    #[test]
    fn soundness_should_agree_with_the_shared_secret(mut public in any::<[u8; 32]>(), secret in any::<[u8; 32]>()) {
        public[31] &= 0x7f;
        prop_assert_eq!(is_sound(&public), x25519(secret, public) != [0; 32]);
    }
}
