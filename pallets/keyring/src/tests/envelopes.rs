//! The policy: who can open an envelope.

use super::*;
use virtengine_primitives::{
    blake2_256,
    envelope::{Algorithm, EnvelopeHeader, Recipient},
    traits::EnvelopePolicy,
};

fn sealed_to(seeds: &[u8]) -> EnvelopeHeader {
    let mut recipients: Vec<_> = seeds
        .iter()
        .map(|seed| Recipient {
            key: id(*seed),
            encapsulated: [0; 32],
            wrapped: vec![0; 48].try_into().unwrap(),
        })
        .collect();
    recipients.sort_by_key(|r| r.key);
    EnvelopeHeader {
        version: 1,
        algorithm: Algorithm::X25519Aes256Gcm,
        recipients: recipients.try_into().unwrap(),
        hash: blake2_256(b""),
        length: 1,
    }
}

#[test]
fn policy_should_accept_when_everybody_has_an_unrevoked_key() {
    run(|| {
        register(ALICE, 1);
        register(ALICE, 2);
        register(BOB, 3);
        register(CAROL, 4);
        assert_ok!(Keyring::ensure_sealed_to(
            &sealed_to(&[1, 3]),
            &[ALICE, BOB]
        ));
        assert_ok!(Keyring::ensure_sealed_to(
            &sealed_to(&[2, 3, 4]),
            &[BOB, ALICE, ALICE]
        ));
        assert_ok!(Keyring::ensure_sealed_to(&sealed_to(&[4]), &[]));
        // One revoked key beside a good one is no matter.
        assert_ok!(Keyring::revoke_key(signed(ALICE), id(1)));
        assert_ok!(Keyring::ensure_sealed_to(
            &sealed_to(&[1, 2, 3]),
            &[ALICE, BOB]
        ));
    });
}

#[test]
fn policy_should_refuse_when_somebody_cannot_open() {
    run(|| {
        register(ALICE, 1);
        register(BOB, 3);
        assert_noop!(
            Keyring::ensure_sealed_to(&sealed_to(&[1]), &[ALICE, BOB]),
            Error::<Test>::RecipientMissing
        );
        assert_noop!(
            Keyring::ensure_sealed_to(&sealed_to(&[1, 3]), &[CAROL]),
            Error::<Test>::RecipientMissing
        );
        assert_ok!(Keyring::revoke_key(signed(BOB), id(3)));
        assert_noop!(
            Keyring::ensure_sealed_to(&sealed_to(&[1, 3]), &[ALICE, BOB]),
            Error::<Test>::RecipientMissing
        );
        assert_noop!(
            Keyring::ensure_sealed_to(&sealed_to(&[1, 9]), &[ALICE]),
            Error::<Test>::UnknownRecipient
        );
        System::set_block_number(100);
        assert_ok!(Keyring::forget_key(signed(BOB), id(3)));
        assert_noop!(
            Keyring::ensure_sealed_to(&sealed_to(&[1, 3]), &[ALICE]),
            Error::<Test>::UnknownRecipient
        );
    });
}

#[test]
fn policy_should_refuse_when_header_is_malformed() {
    run(|| {
        register(ALICE, 1);
        register(ALICE, 2);
        let good = sealed_to(&[1, 2]);
        let mut version = good.clone();
        version.version = 2;
        let mut order = good.clone();
        order.recipients.as_mut().swap(0, 1);
        let mut twice = good.clone();
        twice.recipients[1] = twice.recipients[0].clone();
        let mut short = good.clone();
        short.recipients[0].wrapped.pop();
        let nobody = sealed_to(&[]);
        for header in [version, order, twice, short, nobody] {
            assert_noop!(
                Keyring::ensure_sealed_to(&header, &[]),
                Error::<Test>::MalformedEnvelope
            );
        }
    });
}
