//! HPKE (RFC 9180) in the one suite of version 1, and the wrapping of content keys.

use crate::{Binding, ContentKey, Error, KeyId, PublicKey, Recipient, SecretKey};
use hpke::{
    aead::AesGcm256, kdf::HkdfSha256, kem::X25519HkdfSha256 as Kem, single_shot_open,
    single_shot_seal, Deserializable, OpModeR, OpModeS, Serializable,
};
use zeroize::Zeroizing;

/// The HPKE info string of every wrapped key.
pub const INFO: &[u8] = b"virtengine/envelope/1";

/// HPKE `SealBase` in suite (0x0020, 0x0001, 0x0002): returns the encapsulated key and the ciphertext with its tag.
pub fn hpke_seal(
    to: &PublicKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<([u8; 32], Vec<u8>), Error> {
    let bad = |_| Error::BadPublicKey(to.to_string());
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(&to.to_bytes()).map_err(bad)?;
    let (encapsulated, ciphertext) = single_shot_seal::<AesGcm256, HkdfSha256, Kem>(
        &OpModeS::Base,
        &public,
        info,
        plaintext,
        aad,
    )
    .map_err(bad)?;
    Ok((encapsulated.to_bytes().into(), ciphertext))
}

/// HPKE `OpenBase` in the same suite.
pub fn hpke_open(
    secret: &SecretKey,
    encapsulated: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let open = || {
        let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret.as_bytes())?;
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated)?;
        single_shot_open::<AesGcm256, HkdfSha256, Kem>(
            &OpModeR::Base,
            &secret,
            &encapsulated,
            info,
            ciphertext,
            aad,
        )
    };
    open().map(Zeroizing::new).map_err(|_| Error::Unwrap)
}

/// Wraps a content key to a recipient.
pub(crate) fn wrap(
    key: &ContentKey,
    to: &PublicKey,
    binding: &Binding,
) -> Result<Recipient, Error> {
    let (encapsulated, wrapped) = hpke_seal(to, INFO, &binding.aad(), key.as_bytes())?;
    let wrapped = wrapped
        .try_into()
        .map_err(|_| Error::Malformed("a wrapped key is longer than 48 bytes"))?;
    Ok(Recipient {
        key: to.key_id(),
        encapsulated,
        wrapped,
    })
}

/// Opens the content key that was wrapped to `secret`.
pub(crate) fn unwrap(
    recipients: &[Recipient],
    secret: &SecretKey,
    binding: &Binding,
) -> Result<ContentKey, Error> {
    let id: KeyId = secret.public().key_id();
    let recipient = recipients
        .iter()
        .find(|r| r.key == id)
        .ok_or_else(|| Error::NotARecipient(format!("0x{}", hex::encode(id))))?;
    let key = hpke_open(
        secret,
        &recipient.encapsulated,
        INFO,
        &binding.aad(),
        &recipient.wrapped,
    )?;
    let bytes: [u8; 32] = key.as_slice().try_into().map_err(|_| Error::Unwrap)?;
    Ok(ContentKey::from_bytes(bytes))
}
