//! RFC 9180's own test vector of our suite (mode 0, KEM 0x0020, KDF 0x0001, AEAD 0x0002; `test-vectors.json` of
//! draft-irtf-cfrg-hpke at 5f503c5, the state of the RFC).

use super::*;

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

#[test]
fn hpke_should_agree_with_the_rfc_when_given_its_vector() {
    let secret = SecretKey::from_bytes(bytes(
        "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
    ));
    let public: [u8; 32] =
        bytes("430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c");
    assert_eq!(secret.public().to_bytes(), public);
    let encapsulated: [u8; 32] =
        bytes("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256");
    let info = b"Ode on a Grecian Urn";
    let ciphertext: [u8; 45] = bytes(
        "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a",
    );
    let plaintext = hpke_open(&secret, &encapsulated, info, b"Count-0", &ciphertext).unwrap();
    assert_eq!(plaintext.as_slice(), b"Beauty is truth, truth beauty");

    assert!(matches!(
        hpke_open(&secret, &encapsulated, info, b"Count-1", &ciphertext),
        Err(Error::Unwrap)
    ));
    assert!(matches!(
        hpke_open(&secret, &encapsulated, b"Ode", b"Count-0", &ciphertext),
        Err(Error::Unwrap)
    ));
}

#[test]
fn hpke_should_open_what_it_sealed_when_nothing_changed() {
    let secret = key();
    let (encapsulated, ciphertext) = hpke_seal(&secret.public(), b"info", b"aad", b"text").unwrap();
    assert_eq!(
        hpke_open(&secret, &encapsulated, b"info", b"aad", &ciphertext)
            .unwrap()
            .as_slice(),
        b"text"
    );
    assert!(hpke_open(&key(), &encapsulated, b"info", b"aad", &ciphertext).is_err());
}

#[test]
fn hpke_should_refuse_a_public_key_when_it_is_a_point_of_low_order() {
    // The all-zero point makes every shared secret zero (RFC 7748, section 6.1).
    let error = hpke_seal(&PublicKey::from_bytes([0; 32]), b"", b"", b"text").unwrap_err();
    assert!(matches!(error, Error::BadPublicKey(_)), "{error}");
}
