//! Keys. Secrets are wiped when dropped and never shown by `Debug`.

use crate::Error;
use core::fmt;
use hpke::{kem::X25519HkdfSha256 as Kem, Deserializable, Kem as _, Serializable};
use rand::TryRngCore;
use virtengine_primitives::envelope::{key_id, KeyId};
use zeroize::Zeroizing;

/// 32 bytes from the operating system.
pub(crate) fn random32() -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    rand::rngs::OsRng
        .try_fill_bytes(bytes.as_mut())
        .map_err(|_| Error::Random)?;
    Ok(bytes)
}

fn parse_hex(text: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    let digits = text.trim();
    hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), bytes.as_mut())
        .map_err(|_| Error::BadKeyText)?;
    Ok(bytes)
}

/// A public X25519 key (32 bytes), as registered in the keyring.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From its 32 bytes. Any bytes are taken here; a key that is no usable point is refused when sealing to it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The name under which the chain registers it.
    pub fn key_id(&self) -> KeyId {
        key_id(&self.0)
    }
}

impl core::str::FromStr for PublicKey {
    type Err = Error;
    /// 64 hexadecimal digits, with or without `0x`.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self(*parse_hex(text)?))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret X25519 key. A key of its own, never derived from a signature or a signing key.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// A new key from the operating system's random numbers.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(random32()?))
    }

    /// From its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its 32 bytes, for a keystore.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        // Every 32 bytes are an X25519 secret; the fallback exists only because the parser's type can fail.
        let bytes = <Kem as hpke::Kem>::PrivateKey::from_bytes(self.0.as_ref())
            .map(|secret| Kem::sk_to_pk(&secret).to_bytes().into())
            .unwrap_or([0u8; 32]);
        PublicKey(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl core::str::FromStr for SecretKey {
    type Err = Error;
    /// 64 hexadecimal digits, with or without `0x`.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self(parse_hex(text)?))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// The 32-byte key that sealed one body. There is no way to seal a second body under it.
#[derive(Clone)]
pub struct ContentKey(Zeroizing<[u8; 32]>);

impl ContentKey {
    pub(crate) fn generate() -> Result<Self, Error> {
        Ok(Self(random32()?))
    }

    /// From its 32 bytes, as a payload carries them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its 32 bytes, to be put into a payload.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl core::str::FromStr for ContentKey {
    type Err = Error;
    /// 64 hexadecimal digits, with or without `0x`.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self(parse_hex(text)?))
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(..)")
    }
}
